// tune, eval and generate with weights that do not all fit --memory: the same results, in less memory.
#include <gtest/gtest.h>

#include "frugal/verbs/torch/tests/on_model.h"

namespace frugal {
namespace {

class Streaming : public OnModel {
 protected:
  Json line_of(const std::string& arguments) const {
    return run(arguments + " --weights stored --threads 2 --json").line();
  }
  // Both runs; `streamed` within memory and less than `whole`, by at least 10 MiB of the file's 94.
  std::pair<Json, Json> both(const std::string& arguments, const std::string& memory, std::uint64_t bytes) const {
    const Json whole = line_of(arguments), streamed = line_of(arguments + " --memory " + memory);
    EXPECT_TRUE(whole.contains("peak_rss_bytes")) << whole;
    EXPECT_TRUE(streamed.contains("peak_rss_bytes")) << streamed << read_file(folder_ / "err");
    const auto peak_of = [](const Json& result) { return result.value("peak_rss_bytes", std::uint64_t{0}); };
    EXPECT_LE(peak_of(streamed), bytes);
    EXPECT_LE(peak_of(streamed) + (10 << 20), peak_of(whole));
    return {whole, streamed};
  }
};

TEST_F(Streaming, GeneratesTheSameTokens) {
  const auto [whole, streamed] =
      both("generate " + kModel + " --prompt 'The sea is' --greedy --max-new-tokens 8", "240MiB", 240 << 20);
  ASSERT_TRUE(whole.contains("tokens")) << whole;
  ASSERT_TRUE(streamed.contains("tokens")) << streamed;
  EXPECT_EQ(streamed["tokens"], whole["tokens"]);
}

TEST_F(Streaming, EvaluatesToTheSameLoss) {
  write_file(folder_ / "text.txt", std::string(600, 'a') + " and then the sea came back to the shore.");
  const auto [whole, streamed] = both(
      "eval " + kModel + " --text " + (folder_ / "text.txt").string() + " --length 64 --batch 1", "260MiB", 260 << 20);
  ASSERT_TRUE(whole.contains("loss")) << whole;
  ASSERT_TRUE(streamed.contains("loss")) << streamed;
  EXPECT_EQ(streamed["loss"], whole["loss"]);
}

TEST_F(Streaming, TunesToTheSameBits) {
  std::string lines;
  for (int i = 0; i < 8; ++i)
    lines += R"({"text": "message )" + std::to_string(i) + R"(", "label": ")" + (i % 2 ? "ham" : "spam") + "\"}\n";
  write_file(folder_ / "train.jsonl", lines);
  const std::string start = "tune " + kModel + " --data " + (folder_ / "train.jsonl").string() +
                            " --template 'Message: {text}' --labels ham=No,spam=Yes --steps 3 --batch 2 --max-length 32"
                            " --lr 1e-3";
  for (const std::string method : {"mezo --train lora", "lora"}) {
    const std::string memory = method == "lora" ? "300MiB" : "270MiB", out = (folder_ / "run").string();
    const Json whole = line_of(start + " --method " + method + " --out " + out);
    ASSERT_TRUE(whole.contains("weights_sha256")) << whole << read_file(folder_ / "err");
    const Json streamed = line_of(start + " --method " + method + " --out " + out + "2 --memory " + memory);
    ASSERT_TRUE(streamed.contains("weights_sha256")) << streamed << read_file(folder_ / "err");
    EXPECT_EQ(streamed["weights_sha256"], whole["weights_sha256"]) << method;
    EXPECT_NE(read_file(folder_ / "err").find("weights: streamed"), std::string::npos) << read_file(folder_ / "err");
    const Json settings = Json::parse(read_file(folder_ / "run2" / "run.json")).value("settings", Json::object());
    EXPECT_GT(settings.value("choices", Json::object()).value("file_window", std::uint64_t{0}), 0u);
    fs::remove_all(folder_ / "run");
    fs::remove_all(folder_ / "run2");
  }
}

}  // namespace
}  // namespace frugal
