// The logits of a model after each token of a text, through the C++ API.
//   logits MODEL TYPE IDS      TYPE: f32 or bf16, of the weights and of what they are multiplied with; IDS: 1,2,3
// Writes [tokens, vocabulary] float32 to stdout. bench/peers/llama_cpp_check.py compares them with llama.cpp's.
#include <charconv>
#include <iostream>
#include <numeric>

#include "frugal/base/processor.h"
#include "frugal/base/report_error.h"
#include "frugal/core/products.h"
#include "frugal/nn/model/decoder.h"

using namespace frugal;

// Error(Exit::usage): not whole numbers with commas between, or none.
std::vector<std::int32_t> parse_ids(const std::string& text, std::int64_t vocabulary) {
  std::vector<std::int32_t> ids;
  for (const char *at = text.data(), *end = at + text.size(); at <= end; ++at) {
    std::int32_t id = -1;
    const auto [rest, failed] = std::from_chars(at, end, id);
    if (failed != std::errc() || id < 0 || id >= vocabulary || (rest != end && *rest != ','))
      throw Error(Exit::usage, "'" + text + "' is no list of token ids below " + std::to_string(vocabulary), "1,2,3");
    ids.push_back(id);
    at = rest;
  }
  return ids;
}

int main(int argc, char** argv) try {
  if (argc != 4) throw Error(Exit::usage, "3 arguments are needed", "logits MODEL bf16 1,2,3");
  const WeightType type = parse_weight_type(argv[2]);
  Threads threads(static_cast<int>(usable_cores()), single_threaded_torch);
  WeightStore store(ModelSource::open(argv[1]), type, threads);
  Decoder decoder(store.shape(), threads, type == WeightType::f32 ? Compute::f32 : Compute::bf16);
  PackedBatch batch;
  batch.append(parse_ids(argv[3], store.shape().vocab));
  std::vector<std::int64_t> rows(static_cast<std::size_t>(batch.size()));
  std::vector<std::int32_t> all(static_cast<std::size_t>(store.shape().vocab));
  std::iota(rows.begin(), rows.end(), 0);
  std::iota(all.begin(), all.end(), 0);
  const std::vector<float> logits = decoder.forward(BaseView(store), batch)->candidate_logits(rows, all);
  std::cout.write(reinterpret_cast<const char*>(logits.data()), static_cast<std::streamsize>(logits.size() * 4));
  return std::cout.flush() ? 0 : static_cast<int>(Exit::input);
} catch (...) {
  return report_exception(false);
}
