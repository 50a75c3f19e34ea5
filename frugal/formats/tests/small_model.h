// A small llama with random weights, held in memory, and a folder for what tests write.
#pragma once
#include <unistd.h>

#include <filesystem>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "frugal/base/error.h"
#include "frugal/formats/model_source.h"
#include "frugal/formats/tokenizer.h"
#include "frugal/formats/tokenizer/byte_alphabet.h"

namespace frugal::formats_tests {

class TemporaryFolder {
 public:
  TemporaryFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "frugal-formats-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      throw Error(Exit::input, "cannot create " + name, "check the temporary folder");
    path_ = name;
  }
  ~TemporaryFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::filesystem::path path_;
};

// The message of the Error that `action` ends with; "no error" when it ends without one.
template <class Action>
std::string error_of(Action&& action) {
  try {
    action();
  } catch (const Error& error) {
    return error.fix().empty() ? "an error without a fix" : error.what();
  }
  return "no error";
}

// Grouped heads and a head size that is not hidden / heads, so that a mix-up of sizes shows.
inline ModelShape small_shape(bool tied) {
  ModelShape shape;
  shape.vocab = 300;
  shape.hidden = 64;
  shape.head_dim = 8;
  shape.context = 128;
  shape.layers.assign(2, LayerShape{4, 2, 96});
  shape.tied_embeddings = tied;
  return shape;
}

// All bytes, two merges, a control token and a token of the user's.
inline TokenizerModel small_tokenizer() {
  TokenizerModel model;
  for (int byte = 0; byte < 256; ++byte) model.tokens.push_back(byte_to_letter(static_cast<unsigned char>(byte)));
  for (const char* token : {"he", "ll", "llo", "<|end|>", "<tool>"}) model.tokens.emplace_back(token);
  model.merges = {"h e", "l l", "ll o"};
  model.added = {{.id = 259, .text = "<|end|>", .special = true}, {.id = 260, .text = "<tool>", .special = false}};
  model.pre = "gpt-2";
  model.bos = model.eos = 259;
  return model;
}

class SmallModel : public ModelSource {
 public:
  explicit SmallModel(ModelShape shape, std::string name = "small") {
    path_ = std::move(name);
    shape_ = std::move(shape);
    std::mt19937 random(5);
    for (const TensorSpec& spec : tensor_specs(shape_)) {
      SourceTensor tensor;
      static_cast<TensorSpec&>(tensor) = spec;
      tensor.type = "F32";
      tensors_.push_back(tensor);
      auto& values = values_.emplace_back(static_cast<std::size_t>(spec.rows * spec.cols));
      for (float& value : values) value = std::normal_distribution<float>(0, 0.1f)(random);
    }
  }
  std::string sha256() const override { return "small"; }
  void read_rows(std::size_t index, std::int64_t begin, std::int64_t end, float* out) const override {
    const std::int64_t cols = tensors_[index].cols;
    std::copy(values_[index].data() + begin * cols, values_[index].data() + end * cols, out);
  }
  const std::byte* stored_row(std::size_t index, std::int64_t row) const override {
    return reinterpret_cast<const std::byte*>(values_[index].data() + row * tensors_[index].cols);
  }
  void release_rows(std::size_t, std::int64_t, std::int64_t) const override {}
  void read_ahead(std::size_t) const override {}
  std::unique_ptr<Tokenizer> tokenizer() const override { return std::make_unique<Tokenizer>(small_tokenizer()); }
  std::string chat_template() const override { return "{% for m in messages %}{{ m['content'] }}<|end|>{% endfor %}"; }
  Json generation_config() const override { return {{"eos_token_id", 259}}; }
  std::string license() const override { return "apache-2.0"; }

  std::vector<float>& values(std::size_t index) { return values_[index]; }

 private:
  std::vector<std::vector<float>> values_;
};

inline RowReader rows_of(const ModelSource& model) {
  return [&model](std::size_t index, std::int64_t begin, std::int64_t end, float* out) {
    model.read_rows(index, begin, end, out);
  };
}

inline std::vector<float> whole_tensor(const ModelSource& model, std::size_t index) {
  const SourceTensor& tensor = model.tensors()[index];
  std::vector<float> values(static_cast<std::size_t>(tensor.rows * tensor.cols));
  model.read_rows(index, 0, tensor.rows, values.data());
  return values;
}

inline void ignore_progress(std::size_t, std::size_t) {}

}  // namespace frugal::formats_tests
