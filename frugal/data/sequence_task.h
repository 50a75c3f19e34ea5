// Supervised fine-tuning of a causal language model: token sequences, and which of their tokens are trained.
#pragma once
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "frugal/base/config.h"
#include "frugal/data/chat_renderer.h"
#include "frugal/data/data_format.h"
#include "frugal/data/prompt_template.h"
#include "frugal/data/row_choice.h"
#include "frugal/formats/tokenizer.h"

namespace frugal {

struct SequenceConfig {
  std::string prompt_template;
  std::vector<std::string> columns;
  std::int64_t max_length = 1024;
  std::string data_format = "auto";
  std::string completion = "completion";
  std::string loss_on = "answers";
  std::string overlong = "error";

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "template",
       .help = "the prompt, with columns in braces: \"Question: {question}\\nAnswer:\"",
       .group = "data"},
      c.prompt_template);
    v({.name = "columns",
       .help = "names of the columns of a csv or tsv file without a header line: question,answer",
       .group = "data"},
      c.columns);
    v({.name = "max_length",
       .help = "tokens of a sequence, >= 8; longer ones lose the beginning of the prompt or their first turns",
       .group = "data"},
      c.max_length);
    own_fields(c, v);
  }
  // Those that PromptConfig has not, for a verb that takes both.
  template <class Self, class Visitor>
  static void own_fields(Self& c, Visitor&& v) {
    v({.name = "data_format",
       .help = "what a record is; auto: prompt with --template, text for .txt, else by the keys of the first record",
       .group = "data",
       .choices = {"auto", "prompt", "messages", "alpaca", "sharegpt", "text"}},
      c.data_format);
    v({.name = "completion", .help = "column that holds what follows the prompt", .group = "data"}, c.completion);
    v({.name = "loss_on",
       .help = "tokens that are trained: answers with their end, or all",
       .group = "data",
       .choices = {"answers", "all"}},
      c.loss_on);
    v({.name = "overlong",
       .help = "a record whose answer does not fit into max_length: error, or drop to leave it out and count it",
       .group = "data",
       .choices = {"error", "drop"}},
      c.overlong);
  }
};

struct Sequence {
  std::vector<std::int32_t> tokens;  // bos included where the model wants it
  std::vector<std::uint8_t>
      is_target;          // is_target[t]: token t is predicted from those before it and counts in the loss
  std::uint32_t row = 0;  // of the records; text: of the windows
  bool is_truncated = false;
  std::int64_t targets() const { return std::count(is_target.begin() + 1, is_target.end(), 1); }
};

struct SequenceDataset {
  std::string name;  // the file
  DataFormat format = DataFormat::prompt;
  std::vector<Sequence> sequences;  // at least one, each with at least one target and at most max_length tokens
  std::uint64_t tokens = 0, targets = 0, truncated = 0, dropped = 0;
  std::uint64_t bytes = 0;  // that the sequences take in memory
};

class SequenceTask {
 public:
  // chat_template: the model's, see ChatRenderer. Whoever makes a task checks max_length against the model's context.
  // Error(Exit::usage): a choice that is none, max_length < 8, a template with a format that has none, a prompt format
  // without one, the completion in the template. Error(Exit::input): the prompt format, and the tokenizer has no eos.
  // context: the model's, for the messages of records that are too long; 0: not known.
  SequenceTask(const SequenceConfig& config, const Tokenizer& tokenizer, const std::string& chat_template,
               std::int64_t context = 0);

  // In the order of the records. limit: at most so many records or windows, 0: all. Error(Exit::input), with the line:
  // what the readers, conversation() and ChatRenderer refuse, an answer without a token, an answer that does not fit
  // (see overlong). Prompts lose their beginning; chats lose whole leading turns after the system messages, where the
  // rest still has an answer.
  // guard: called now and then with the bytes that they take so far, may throw.
  SequenceDataset load(const std::filesystem::path& path, const RowChoice& choice = {},
                       const std::function<void(std::uint64_t)>& guard = {}) const;
  SequenceDataset encode(const ChatRecords& records) const;  // any format but text
  SequenceDataset encode_text(const std::string& name, std::string_view text, std::size_t limit = 0) const;

  // One record. Of a prompt format: a prompt and what follows it; none when it does not fit and overlong is drop.
  std::optional<Sequence> encode_completion(std::string_view prompt, std::string_view completion) const;
  // A conversation whole, of any length; the answers from `first` on are targets.
  Sequence encode_answers(const ChatRenderer& renderer, std::span<const Message> messages, std::size_t first = 0) const;

  // What is trained, as shown before it is: one sequence with what is trained between >> and <<, lengths, counts.
  // A long part of it is shown by its beginning and end.
  Json describe(const SequenceDataset& data) const;
  std::string describe_text(const SequenceDataset& data) const;

 private:
  struct Piece {  // text of a sequence, encoded on its own
    std::vector<std::int32_t> ids;
    bool is_target;
  };
  using Answer = std::optional<Sequence>;  // none: it does not fit
  Answer encode_chat(const ChatRenderer& renderer, std::vector<Message> messages) const;
  Sequence join(const std::vector<Piece>& pieces) const;
  void add(SequenceDataset& data, Sequence&& sequence) const;
  // Encodes records one by one into a data set.
  class Encoder;

  SequenceConfig config_;
  const Tokenizer& tokenizer_;
  std::optional<DataFormat> format_;
  std::optional<PromptTemplate> template_;
  std::string chat_template_;
  std::size_t max_length_;
  std::int64_t context_;
  bool is_all_;  // loss on all tokens
};

}  // namespace frugal
