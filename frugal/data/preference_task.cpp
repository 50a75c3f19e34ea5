#include "frugal/data/preference_task.h"

#include <algorithm>

#include "frugal/base/error.h"
#include "frugal/data/description.h"
#include "frugal/data/record_line.h"

namespace frugal {
namespace {

const char* const kRecordKeys =
    "a record has prompt, chosen and rejected, all texts or all lists of messages; see docs/data.md";

SequenceConfig uncut(const SequenceConfig& config, DataFormat format) {
  SequenceConfig own;
  own.max_length = std::int64_t{1} << 40;  // lengths are those of pairs: checked here
  own.data_format = data_format_name(format);
  if (format == DataFormat::prompt) {
    own.prompt_template = config.prompt_template.empty() ? "{prompt}" : config.prompt_template;
    own.completion = "chosen";
  }
  return own;
}

// Null: the record has no such text.
const std::string* text_at(const Records& table, std::size_t row, std::string_view key) {
  for (const auto& [id, value] : table.rows[row].values) {
    if (table.columns[id] == key) return &value;
  }
  return nullptr;
}

std::size_t first_target(const Sequence& sequence) {
  return static_cast<std::size_t>(std::find(sequence.is_target.begin(), sequence.is_target.end(), 1) -
                                  sequence.is_target.begin());
}

bool operator==(const Message& a, const Message& b) { return a.role == b.role && a.content == b.content; }

[[noreturn]] void refuse(const std::string& fact, const std::string& fix) { throw Error(Exit::input, fact, fix); }

// An Error about one of the two answers says which.
template <class Call>
auto named(const char* key, const Call& call) {
  try {
    return call();
  } catch (const Error& error) {
    throw Error(error.code(), std::string("'") + key + "': " + error.what(), error.fix());
  }
}

}  // namespace

std::size_t longest_preference(const PreferenceDataset& data) {
  std::size_t longest = 0;
  for (const Preference& pair : data.preferences) longest = std::max(longest, pair.packed_tokens());
  return longest;
}

PreferenceTask::PreferenceTask(const SequenceConfig& config, const Tokenizer& tokenizer,
                               const std::string& chat_template, std::int64_t context)
    : tokenizer_(tokenizer),
      chat_template_(chat_template),
      has_template_(!config.prompt_template.empty()),
      drops_(config.overlong == "drop"),
      max_length_(static_cast<std::size_t>(std::max<std::int64_t>(config.max_length, 0))),
      context_(context),
      columns_(config.columns),
      template_(has_template_ ? config.prompt_template : "{prompt}"),
      texts_(uncut(config, DataFormat::prompt), tokenizer, chat_template),
      chats_(uncut(config, DataFormat::messages), tokenizer, chat_template) {
  for (const char* shown : {"chosen", "rejected"}) {
    const auto& columns = template_.columns();
    if (std::find(columns.begin(), columns.end(), shown) == columns.end()) continue;
    throw Error(Exit::usage, std::string("--template shows an answer: it holds {") + shown + "}", "leave it out");
  }
  SequenceTask{config, tokenizer, chat_template};  // for its refusals of max_length and choices
}

// Messages up to the last answer; the answers behind the first `prompt` messages are targets.
std::optional<Sequence> PreferenceTask::encode_chat(const ChatRenderer& renderer, std::vector<Message> messages,
                                                    std::size_t prompt) const {
  while (messages.size() > prompt && messages.back().role != "assistant") messages.pop_back();
  if (messages.size() == prompt) refuse("it has no answer behind the prompt", "end it with a message of the assistant");
  // The whole text first: finding the answers of a conversation that is far too long would take long.
  constexpr std::size_t kAfterLastAnswer = 16;  // tokens that may still be left out
  const std::size_t length = tokenizer_.encode(renderer.render(messages, false), true).size();
  if (length > max_length_ + kAfterLastAnswer) {
    if (drops_) return std::nullopt;
    refuse(
        "the conversation needs " + std::to_string(length) + " tokens, --max-length is " + std::to_string(max_length_),
        overlong_fix(max_length_, context_, "shorten it"));
  }
  const auto answers_before =
      static_cast<std::size_t>(std::count_if(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(prompt),
                                             [](const Message& message) { return message.role == "assistant"; }));
  return chats_.encode_answers(renderer, messages, answers_before);
}

std::optional<Preference> PreferenceTask::encode_row(const ChatRecords& records, std::size_t row,
                                                     std::optional<ChatRenderer>& renderer) const {
  const Records& table = records.table;
  const ChatRecords::Lists none, &lists = records.lists.empty() ? none : records.lists[row];
  const std::string* texts[] = {text_at(table, row, "chosen"), text_at(table, row, "rejected")};
  const auto is_there = [&](const auto& list, const char* key) { return list || text_at(table, row, key) != nullptr; };
  if (!is_there(lists.chosen, "chosen")) refuse("the record has no 'chosen'", kRecordKeys);
  if (!is_there(lists.rejected, "rejected")) refuse("the record has no 'rejected'", kRecordKeys);
  if (lists.chosen.has_value() != lists.rejected.has_value())
    refuse("one of 'chosen' and 'rejected' is a text, the other a list of messages", kRecordKeys);
  std::optional<Sequence> chosen, rejected;
  if (!lists.chosen) {
    if (lists.prompt) refuse("'prompt' is a list of messages, but 'chosen' and 'rejected' are texts", kRecordKeys);
    if (!has_template_ && text_at(table, row, "prompt") == nullptr)
      refuse("the record has no 'prompt'", std::string(kRecordKeys) + "; or give --template for other columns");
    const std::string prompt = template_.render(table, row, template_.bind(table));
    chosen = named("chosen", [&] { return texts_.encode_completion(prompt, *texts[0]); });
    rejected = named("rejected", [&] { return texts_.encode_completion(prompt, *texts[1]); });
  } else {
    if (has_template_) refuse("--template is given, but the record holds lists of messages", "leave --template out");
    if (!renderer) renderer.emplace(chat_template_, tokenizer_);
    std::vector<Message> sides[] = {*lists.chosen, *lists.rejected};
    std::size_t prompt = lists.prompt ? lists.prompt->size() : 0;
    if (lists.prompt) {
      for (auto& side : sides) side.insert(side.begin(), lists.prompt->begin(), lists.prompt->end());
    } else {  // the messages both begin with
      while (prompt < std::min(sides[0].size(), sides[1].size()) && sides[0][prompt] == sides[1][prompt]) ++prompt;
      if (prompt == sides[0].size() && prompt == sides[1].size())
        refuse("'chosen' and 'rejected' are the same", "leave the record out");
    }
    chosen = named("chosen", [&] { return encode_chat(*renderer, sides[0], prompt); });
    rejected = named("rejected", [&] { return encode_chat(*renderer, sides[1], prompt); });
  }
  if (!chosen || !rejected) return std::nullopt;
  if (chosen->tokens == rejected->tokens)
    refuse("'chosen' and 'rejected' are the same " + std::to_string(chosen->tokens.size() - first_target(*chosen)) +
               " tokens, so neither is preferred",
           "leave the record out");
  Preference pair{std::move(*chosen), std::move(*rejected), 0};
  const std::size_t most = std::min(first_target(pair.chosen), first_target(pair.rejected));
  while (pair.prompt < most && pair.chosen.tokens[pair.prompt] == pair.rejected.tokens[pair.prompt]) ++pair.prompt;
  if (pair.prompt == 0) refuse("the prompt has no token", "give it some text, or leave the record out");
  const std::size_t longer = std::max(pair.chosen.tokens.size(), pair.rejected.tokens.size());
  if (longer > max_length_) {
    if (drops_) return std::nullopt;
    refuse("the prompt with its longer answer needs " + std::to_string(longer) + " tokens, --max-length is " +
               std::to_string(max_length_),
           overlong_fix(max_length_, context_, "shorten it"));
  }
  return pair;
}

void PreferenceTask::add(const ChatRecords& records, std::size_t row, std::uint32_t number,
                         std::optional<ChatRenderer>& renderer, PreferenceDataset& data) const {
  auto pair = at_line(records.table, row, [&] { return encode_row(records, row, renderer); });
  if (!pair) {
    ++data.dropped;
    return;
  }
  data.tokens += pair->packed_tokens();
  data.bytes += sizeof(Preference);
  for (Sequence* side : {&pair->chosen, &pair->rejected}) {
    side->row = number;
    data.targets += static_cast<std::uint64_t>(std::count(side->is_target.begin(), side->is_target.end(), 1));
    data.bytes += list_bytes(side->tokens.size() * sizeof side->tokens[0]) + list_bytes(side->is_target.size());
  }
  data.preferences.push_back(std::move(*pair));
}

PreferenceDataset PreferenceTask::encode(const ChatRecords& records) const {
  PreferenceDataset data{.name = records.table.name};
  std::optional<ChatRenderer> renderer;
  for (std::size_t row = 0; row < records.table.rows.size(); ++row)
    add(records, row, static_cast<std::uint32_t>(row), renderer, data);
  return whole(std::move(data));
}

PreferenceDataset PreferenceTask::whole(PreferenceDataset data) const {
  if (data.preferences.empty()) {
    refuse(data.name + " has no pair that fits into --max-length " + std::to_string(max_length_) + " (" +
               std::to_string(data.dropped) + " dropped)",
           "raise --max-length");
  }
  return data;
}

PreferenceDataset PreferenceTask::load(const std::filesystem::path& path, const RowChoice& choice,
                                       const std::function<void(std::uint64_t)>& guard) const {
  PreferenceDataset data{.name = path.string()};
  std::optional<ChatRenderer> renderer;
  ChosenRows chosen(choice, path.string(), [&](const ChosenRows::Take& take) {
    each_chat_record(path, columns_, 0, MessageLists::preferences,
                     [&](const ChatRecords& one) { take(record_hash(one, 0), {}); });
  });
  std::uint32_t rows = 0;
  each_chat_record(path, columns_, chosen.limit(), MessageLists::preferences, [&](const ChatRecords& one) {
    if (!chosen.next()) return;
    if (rows == 0) data.preferences.reserve(chosen.size() > 0 ? chosen.size() : most_records(path, chosen.limit()));
    add(one, 0, rows++, renderer, data);
    if (guard && rows % kGuardedRecords == 0) guard(data.bytes);
  });
  return whole(std::move(data));
}

std::string PreferenceTask::part_text(const Sequence& sequence, std::size_t begin, std::size_t end) const {
  const std::vector<std::int32_t> ids(sequence.tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                                      sequence.tokens.begin() + static_cast<std::ptrdiff_t>(end));
  return shortened(tokenizer_.decode(ids, false));
}

Json PreferenceTask::describe(const PreferenceDataset& data) const {
  std::vector<std::size_t> lengths;
  for (const auto& pair : data.preferences) lengths.push_back(pair.packed_tokens());
  const Preference& first = data.preferences.front();
  return {{"file", data.name},
          {"format", "preferences"},
          {"pairs", data.preferences.size()},
          {"tokens", data.tokens},
          {"targets", data.targets},
          {"dropped", data.dropped},
          {"pair_tokens", LengthHistogram(lengths).to_json()},
          {"first",
           {{"prompt", part_text(first.chosen, 0, first.prompt)},
            {"chosen", part_text(first.chosen, first.prompt, first.chosen.tokens.size())},
            {"rejected", part_text(first.rejected, first.prompt, first.rejected.tokens.size())}}}};
}

std::string PreferenceTask::describe_text(const PreferenceDataset& data) const {
  const Json json = describe(data);
  const auto part = [&](const char* key) { return indented(json["first"][key].get<std::string>()); };
  std::vector<std::size_t> lengths;
  for (const auto& pair : data.preferences) lengths.push_back(pair.packed_tokens());
  std::string text =
      data.name + ": " + grouped(data.preferences.size()) + " pairs (preferences); the first one\nprompt:\n" +
      part("prompt") + "\nchosen, to become likelier than the other:\n" + part("chosen") + "\nrejected:\n" +
      part("rejected") + "\ntokens: " + grouped(data.tokens) +
      " (prompts once a pair), of answers: " + grouped(data.targets) + " (" + percent(data.targets, data.tokens) + ")";
  return text + lengths_text("pair", lengths, data.dropped, max_length_);
}

}  // namespace frugal
