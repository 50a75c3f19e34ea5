// Preferences: a prompt with two answers, one of them chosen, the other rejected.
#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "frugal/data/sequence_task.h"

namespace frugal {

// A record has prompt, chosen and rejected, as TRL's preference data sets have: all three texts, or all three lists of
// messages. Where chosen and rejected are lists and prompt is a text or absent, the prompt is the messages both begin
// with.
struct Preference {
  Sequence chosen, rejected;  // prompt and answer each; targets are tokens of the answer
  std::size_t prompt = 0;     // tokens that both begin with, at least one and none a target
  std::size_t packed_tokens() const { return chosen.tokens.size() + rejected.tokens.size() - prompt; }
};

struct PreferenceDataset {
  std::string name;  // the file
  std::vector<Preference> preferences;
  std::uint64_t tokens = 0, targets = 0, dropped = 0;  // tokens: with the prompt once a pair
  std::uint64_t bytes = 0;                             // that the pairs take in memory
};
std::size_t longest_preference(const PreferenceDataset& data);  // packed tokens

class PreferenceTask {
 public:
  // config: template, columns, max_length and overlong. A template renders the prompt of records of texts from any of
  // their columns, {prompt} without it. chat_template: the model's. Error(Exit::usage) as SequenceTask.
  PreferenceTask(const SequenceConfig& config, const Tokenizer& tokenizer, const std::string& chat_template,
                 std::int64_t context = 0);

  // limit: at most so many records, 0: all. Texts become prompt, answer and end-of-text token as SequenceTask makes
  // them, lists of messages a conversation by the chat template, of which the answers behind the prompt are targets.
  // Nothing is cut: a prompt with its longer answer over max_length is an error, or left out (see overlong).
  // Error(Exit::input), with the line: what the readers refuse; a record without these keys or with both kinds; an
  // answer without a token; chosen equal to rejected; an empty prompt.
  // guard: called now and then with the bytes that they take so far, may throw.
  PreferenceDataset load(const std::filesystem::path& path, const RowChoice& choice = {},
                         const std::function<void(std::uint64_t)>& guard = {}) const;
  PreferenceDataset encode(const ChatRecords& records) const;

  // What is trained, as shown before it is: the first pair, lengths, counts.
  Json describe(const PreferenceDataset& data) const;
  std::string describe_text(const PreferenceDataset& data) const;

 private:
  std::optional<Preference> encode_row(const ChatRecords& records, std::size_t row,
                                       std::optional<ChatRenderer>& renderer) const;
  void add(const ChatRecords& records, std::size_t row, std::uint32_t number, std::optional<ChatRenderer>& renderer,
           PreferenceDataset& data) const;
  PreferenceDataset whole(PreferenceDataset data) const;  // Error(Exit::input): no pair is left
  std::optional<Sequence> encode_chat(const ChatRenderer& renderer, std::vector<Message> messages,
                                      std::size_t prompt) const;
  std::string part_text(const Sequence& sequence, std::size_t begin, std::size_t end) const;
  const Tokenizer& tokenizer_;
  std::string chat_template_;
  bool has_template_, drops_;
  std::size_t max_length_;
  std::int64_t context_;
  std::vector<std::string> columns_;
  PromptTemplate template_;
  SequenceTask texts_, chats_;  // they cut nothing
};

}  // namespace frugal
