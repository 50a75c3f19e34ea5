#include "frugal/base/sha256.h"

#include <openssl/evp.h>

#include <vector>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"

namespace frugal {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) { EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr); }
Sha256::~Sha256() = default;

void Sha256::update(const void* bytes, std::size_t size) { EVP_DigestUpdate(state_->context, bytes, size); }

std::string Sha256::hex() {
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int size = 0;
  EVP_DigestFinal_ex(state_->context, digest, &size);
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += "0123456789abcdef"[digest[i] >> 4];
    text += "0123456789abcdef"[digest[i] & 15];
  }
  return text;
}

std::string sha256_file(const std::filesystem::path& path) {
  std::ifstream in = open_file(path);
  if (!in) throw Error(Exit::input, "cannot read " + path.string(), "check the path");
  Sha256 sha;
  std::vector<char> block(1 << 20);
  while (in.read(block.data(), static_cast<std::streamsize>(block.size())) || in.gcount() > 0) {
    sha.update(block.data(), static_cast<std::size_t>(in.gcount()));
  }
  return sha.hex();
}

}  // namespace frugal
