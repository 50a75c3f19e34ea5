// generate and chat as a user meets them: Ctrl-C keeps what was said, lines of other systems, conversations that grow
// too long.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>

#include "frugal/verbs/torch/tests/on_model.h"

namespace frugal {
namespace {

using Talk = OnModel;

TEST_F(Talk, AnInterruptedAnswerIsPrintedWithItsExitCode) {
  const std::string start =
      "generate " + kModel + " --prompt 'Once upon a time' --temperature 1.5 --max-new-tokens 4000";
  const Outcome text = run(start, "timeout --preserve-status -s INT 5");
  EXPECT_EQ(text.code, 130);
  EXPECT_GT(text.out.size(), 5u);
  const Outcome json = run(start + " --json", "timeout --preserve-status -s INT 5");
  EXPECT_EQ(json.code, 130);
  const Json line = Json::parse(json.out, nullptr, false);
  ASSERT_TRUE(line.is_object()) << json.out << json.err;
  EXPECT_EQ(line["new_tokens"], line["tokens"].size());
  EXPECT_LT(line["new_tokens"], 4000);
}

TEST_F(Talk, ChatTakesLinesOfOtherSystemsAndKeepsStdoutForAnswers) {
  const std::string start = "chat " + kModel + " --greedy --max-new-tokens 6";
  const Outcome unix = run(start, "", "hi\nwho are you?\n\nnot read\n"),
                windows = run(start, "", "hi\r\nwho are you?\r\n\r\nnot read\r\n");
  EXPECT_EQ(unix.code, 0);
  EXPECT_EQ(windows.out, unix.out);
  const Outcome json = run(start + " --json", "", "hi\nwho are you?\n");
  EXPECT_EQ(std::count(json.out.begin(), json.out.end(), '\n'), 2);
  EXPECT_EQ(Json::parse(json.out.substr(0, json.out.find('\n')), nullptr, false)["role"], "assistant");
}

TEST_F(Talk, AnInterruptWhileAMessageIsAwaitedEndsTheChat) {
  ASSERT_EQ(::mkfifo(at("silent").c_str(), 0600), 0);
  const Outcome o = run("chat " + kModel + " --greedy",
                        "timeout --preserve-status -k 20 -s INT 4 sh -c 'exec \"$@\" 0<>" + at("silent") + "' sh");
  EXPECT_EQ(o.code, 130);
  EXPECT_EQ(o.out, "");
  EXPECT_NE(o.err.find("error: interrupted"), std::string::npos) << o.err;
}

TEST_F(Talk, AConversationThatIsTooLongSaysSo) {
  std::string words = "hi\n";
  for (int i = 0; i < 9000; ++i) words += "word ";
  const Outcome o = run("chat " + kModel + " --greedy --quiet --max-new-tokens 2", "", words);
  EXPECT_EQ(o.code, 3);
  EXPECT_EQ(o.err.substr(0, 27), "error: the conversation has") << o.err;
  EXPECT_NE(o.err.find("there is room for 8192\nfix: begin a new chat"), std::string::npos) << o.err;
  EXPECT_FALSE(o.out.empty()) << "the first answer is printed";
}

}  // namespace
}  // namespace frugal
