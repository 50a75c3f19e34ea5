// SHA-256 (FIPS 180-4) through OpenSSL, which uses the processor's instructions for it.
#pragma once
#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>

namespace frugal {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  void update(const void* bytes, std::size_t size);
  std::string hex();  // 64 lower-case digits; call once, last

 private:
  struct State;
  std::unique_ptr<State> state_;
};

std::string sha256_file(const std::filesystem::path& path);  // Error(Exit::input) when it cannot be read

}  // namespace frugal
