#include "frugal/data/sequence_task.h"

#include <algorithm>

#include "frugal/base/error.h"
#include "frugal/data/record_line.h"
#include "frugal/data/text_windows.h"
#include "frugal/formats/records/text_file.h"

namespace frugal {
namespace {

constexpr std::string_view kSpace = " \t\r\n";

template <class Config>
void check_choices(const Config& config) {
  Config::fields(config, [](const Field& field, const auto& value) {
    if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string>) {
      if (field.choices.empty() || std::find(field.choices.begin(), field.choices.end(), value) != field.choices.end())
        return;
      std::string choices;
      for (const auto choice : field.choices) choices += (choices.empty() ? "" : ", ") + std::string(choice);
      throw Error(Exit::usage, "'" + std::string(field.name) + "' is '" + value + "', expected one of " + choices,
                  std::string(field.help));
    }
  });
}

// Facts that end up after "FILE line N: ".
[[noreturn]] void refuse(const std::string& fact, const std::string& fix) { throw Error(Exit::input, fact, fix); }

bool is_blank_text(std::string_view text) { return text.find_first_not_of(kSpace) == std::string_view::npos; }

}  // namespace

SequenceTask::SequenceTask(const SequenceConfig& config, const Tokenizer& tokenizer, const std::string& chat_template,
                           std::int64_t context)
    : config_(config),
      tokenizer_(tokenizer),
      chat_template_(chat_template),
      max_length_(static_cast<std::size_t>(std::max<std::int64_t>(config.max_length, 0))),
      context_(context),
      is_all_(config.loss_on == "all") {
  check_choices(config);
  if (config.max_length < 8)
    throw Error(Exit::usage, "--max-length is " + std::to_string(config.max_length) + ", expected at least 8",
                "--max-length 1024 is the default");
  format_ = parse_data_format(config.data_format);
  if (!format_ && !config.prompt_template.empty()) format_ = DataFormat::prompt;
  if (format_ != DataFormat::prompt) {
    if (!config.prompt_template.empty()) {
      throw Error(Exit::usage, "--template was given, but --data-format " + config.data_format + " has none",
                  "leave one of them out");
    }
    return;
  }
  if (config.prompt_template.empty())
    throw Error(Exit::usage, "--template is missing", "give it, as in --template \"Question: {question}\\nAnswer:\"");
  template_.emplace(config.prompt_template);
  const auto& columns = template_->columns();
  if (std::find(columns.begin(), columns.end(), config.completion) != columns.end()) {
    throw Error(Exit::usage, "--template shows the answer: it holds {" + config.completion + "}, the completion column",
                "leave it out, or name another column with --completion");
  }
  if (tokenizer.model().eos < 0) {
    throw Error(Exit::input, "the tokenizer has no end-of-text token, so no completion would end",
                "set eos_token in its tokenizer_config.json");
  }
}

// Pieces one after the other. The first token has none before it to be predicted from, so it is never a target.
Sequence SequenceTask::join(const std::vector<Piece>& pieces) const {
  Sequence sequence;
  std::size_t size = 0;
  for (const auto& piece : pieces) size += piece.ids.size();
  sequence.tokens.reserve(size);  // as much as it takes, and no more
  sequence.is_target.reserve(size);
  for (const auto& piece : pieces) {
    sequence.tokens.insert(sequence.tokens.end(), piece.ids.begin(), piece.ids.end());
    sequence.is_target.insert(sequence.is_target.end(), piece.ids.size(), piece.is_target || is_all_ ? 1 : 0);
  }
  if (!sequence.is_target.empty()) sequence.is_target.front() = 0;
  return sequence;
}

// Prompt and completion are encoded apart, since in generation the prompt is: a token that goes over the border would
// be one that the model never sees.
std::optional<Sequence> SequenceTask::encode_completion(std::string_view prompt, std::string_view completion) const {
  const bool has_space = (!prompt.empty() && kSpace.find(prompt.back()) != kSpace.npos) ||
                         (!completion.empty() && kSpace.find(completion[0]) != kSpace.npos);
  Piece answer{is_blank_text(completion) ? std::vector<std::int32_t>()
                                         : tokenizer_.encode((has_space ? "" : " ") + std::string(completion)),
               true};
  if (answer.ids.empty()) refuse("the completion has no token", "give it some text, or leave the record out");
  answer.ids.push_back(tokenizer_.model().eos);
  Piece before{{}, false}, text{tokenizer_.encode(prompt), false};
  if (tokenizer_.model().add_bos && tokenizer_.model().bos >= 0) before.ids.push_back(tokenizer_.model().bos);
  const std::size_t needed = answer.ids.size() + std::max<std::size_t>(before.ids.size(), 1);
  if (needed > max_length_) {
    if (config_.overlong == "drop") return std::nullopt;
    refuse("the answer needs " + std::to_string(needed) + " tokens, --max-length is " + std::to_string(max_length_),
           overlong_fix(max_length_, context_, "shorten the answer"));
  }
  const std::size_t room = max_length_ - answer.ids.size() - before.ids.size();
  const bool is_truncated = text.ids.size() > room;
  if (is_truncated) text.ids.erase(text.ids.begin(), text.ids.end() - static_cast<std::ptrdiff_t>(room));
  Sequence sequence = join({before, text, answer});
  sequence.is_truncated = is_truncated;
  return sequence;
}

// The text is cut where answers begin and end, and the parts are encoded apart. At the beginning of an answer this is
// what generation does: it encodes the text up to there and goes on with tokens of its own. Encoding the whole and
// looking up which characters each token covers gives the same, but for answers whose first characters would merge with
// the prompt's last (white space), and there a token would be half prompt and half answer. At the end there is a token
// that merges with nothing. What follows the last answer changes no loss and is left out.
Sequence SequenceTask::encode_answers(const ChatRenderer& renderer, std::span<const Message> messages,
                                      std::size_t first) const {
  const RenderedChat chat = renderer.render(messages);
  const std::string_view text = chat.text;
  std::vector<Piece> pieces;
  std::size_t at = 0;
  for (const AnswerSpan& answer : chat.answers) {
    pieces.push_back({tokenizer_.encode(text.substr(at, answer.begin - at), true), false});
    const bool is_trained = pieces.size() / 2 >= first;
    pieces.push_back({tokenizer_.encode(text.substr(answer.begin, answer.end - answer.begin), true), is_trained});
    if (pieces.back().ids.size() <= (answer.has_end_token ? 1u : 0u))
      refuse("answer " + std::to_string(pieces.size() / 2) + " has no token", "leave the record out");
    at = answer.end;
  }
  if (is_all_) pieces.push_back({tokenizer_.encode(text.substr(at), true), false});
  Sequence sequence = join(pieces);
  if (std::find(sequence.is_target.begin(), sequence.is_target.end(), 1) == sequence.is_target.end())
    refuse("the conversation is a single token, with none before it to be predicted from", "leave the record out");
  return sequence;
}

SequenceTask::Answer SequenceTask::encode_chat(const ChatRenderer& renderer, std::vector<Message> messages) const {
  std::size_t after_answer = messages.size();  // index behind the last answer
  while (after_answer > 0 && messages[after_answer - 1].role != "assistant") --after_answer;
  if (after_answer == 0) refuse("the conversation has no answer", "add a message of the assistant (gpt)");
  if (!is_all_) messages.resize(after_answer);

  // How the conversation looks when it begins with the message `start`, after the system messages.
  const auto system = static_cast<std::size_t>(
      std::find_if(messages.begin(), messages.end(), [](const Message& m) { return m.role != "system"; }) -
      messages.begin());
  std::size_t length = 0;  // of what was tried last
  const auto from = [&](std::size_t start) -> Answer {
    std::vector<Message> part(messages.begin(), messages.begin() + static_cast<std::ptrdiff_t>(system));
    part.insert(part.end(), messages.begin() + static_cast<std::ptrdiff_t>(start), messages.end());
    // The whole text first: finding the answers of a conversation that is far too long would take long.
    constexpr std::size_t kAfterLastAnswer = 16;  // tokens that may still be left out
    length = tokenizer_.encode(renderer.render(part, false), true).size();
    if (length > max_length_ + kAfterLastAnswer) return std::nullopt;
    Sequence sequence = encode_answers(renderer, part);
    length = sequence.tokens.size();
    return length > max_length_ ? std::nullopt : Answer(std::move(sequence));
  };
  if (Answer whole = from(system)) return whole;

  // Turns begin with a user's message; the first that fits, by halving.
  std::vector<std::size_t> starts;
  for (std::size_t i = system + 1; i + 1 < after_answer; ++i) {
    if (messages[i].role == "user") starts.push_back(i);
  }
  const auto first =
      std::partition_point(starts.begin(), starts.end(), [&](std::size_t start) { return !from(start); });
  if (first != starts.end()) {
    Answer sequence = from(*first);
    sequence->is_truncated = true;
    return sequence;
  }
  if (config_.overlong == "drop") return std::nullopt;
  if (!starts.empty()) from(starts.back());
  refuse("the conversation's last turn needs " + std::to_string(length) + " tokens, --max-length is " +
             std::to_string(max_length_),
         overlong_fix(max_length_, context_, "shorten it"));
}

void SequenceTask::add(SequenceDataset& data, Sequence&& sequence) const {
  data.tokens += sequence.tokens.size();
  data.targets += static_cast<std::uint64_t>(std::count(sequence.is_target.begin(), sequence.is_target.end(), 1));
  data.truncated += sequence.is_truncated;
  data.bytes += sizeof(Sequence) + list_bytes(sequence.tokens.size() * sizeof sequence.tokens[0]) +
                list_bytes(sequence.is_target.size());
  data.sequences.push_back(std::move(sequence));
}

class SequenceTask::Encoder {
 public:
  Encoder(const SequenceTask& task, const ChatRecords& first)
      : task_(task),
        data_{.name = first.table.name, .format = task.format_ ? *task.format_ : detect_format(first)},
        is_prompt_(data_.format == DataFormat::prompt) {
    if (is_prompt_) {
      columns_ = task.template_->bind(first.table);
      completion_ = first.table.column(task.config_.completion, "--completion");
    } else {
      renderer_.emplace(task.chat_template_, task.tokenizer_);
    }
  }
  void reserve(std::size_t records) { data_.sequences.reserve(records); }
  std::uint32_t rows() const { return rows_; }
  std::uint64_t bytes() const { return data_.bytes; }

  void add(const ChatRecords& records, std::size_t row) {
    const Records& table = records.table;
    Answer sequence;
    if (is_prompt_) {
      const std::string prompt = task_.template_->render(table, row, columns_);
      const std::string& answer = table.text(row, completion_);
      sequence = at_line(table, row, [&] { return task_.encode_completion(prompt, answer); });
    } else {
      std::vector<Message> messages = conversation(records, row, data_.format, !task_.format_);
      sequence = at_line(table, row, [&] { return task_.encode_chat(*renderer_, std::move(messages)); });
    }
    if (sequence) {
      sequence->row = rows_;
      task_.add(data_, std::move(*sequence));
    } else {
      ++data_.dropped;
    }
    ++rows_;
  }
  SequenceDataset take() {
    if (!data_.sequences.empty()) return std::move(data_);
    throw Error(Exit::input,
                data_.name + " has no record that fits into --max-length " + std::to_string(task_.max_length_) + " (" +
                    std::to_string(data_.dropped) + " dropped)",
                "raise --max-length");
  }

 private:
  const SequenceTask& task_;
  SequenceDataset data_;
  const bool is_prompt_;
  std::vector<std::uint32_t> columns_;
  std::uint32_t completion_ = 0, rows_ = 0;
  std::optional<ChatRenderer> renderer_;
};

SequenceDataset SequenceTask::encode(const ChatRecords& records) const {
  Encoder encoder(*this, records);
  for (std::size_t row = 0; row < records.table.rows.size(); ++row) encoder.add(records, row);
  return encoder.take();
}

SequenceDataset SequenceTask::encode_text(const std::string& name, std::string_view text, std::size_t limit) const {
  SequenceDataset data{.name = name, .format = DataFormat::text};
  for (auto& window : text_windows(tokenizer_, text, static_cast<std::int64_t>(max_length_))) {
    Sequence sequence{.tokens = std::move(window), .row = static_cast<std::uint32_t>(data.sequences.size())};
    sequence.is_target.assign(sequence.tokens.size(), 1);
    sequence.is_target.front() = 0;  // the last token of the window before
    add(data, std::move(sequence));
    if (data.sequences.size() == limit) break;
  }
  return data;
}

SequenceDataset SequenceTask::load(const std::filesystem::path& path, const RowChoice& choice,
                                   const std::function<void(std::uint64_t)>& guard) const {
  const std::string ending = path.extension();
  if (format_ == DataFormat::text && ending != ".txt" && !ending.empty()) {
    throw Error(Exit::usage, "--data-format is text, but " + path.string() + " is a file of records",
                "give plain text in a .txt file, or leave --data-format out");
  }
  if (format_ == DataFormat::text || (!format_ && ending == ".txt")) {
    const MappedText file(path);
    if (file.text().empty()) throw Error(Exit::input, path.string() + " is empty", "give a file with text");
    if (!choice.is_whole_file())
      throw Error(Exit::usage, path.string() + " is plain text, which has no records to split",
                  "give a file of its own with --dev and --test");
    return encode_text(path.string(), file.text(), choice.limit);
  }
  const auto each = [&](std::size_t limit, const TakeChatRecord& take) {
    if (format_ == DataFormat::prompt && path.extension() != ".json")
      each_record(path, config_.columns, limit, as_chat_record(take));
    else
      each_chat_record(path, config_.columns, limit, MessageLists::conversations, take);
  };
  ChosenRows rows(choice, path.string(), [&](const ChosenRows::Take& take) {
    each(0, [&](const ChatRecords& one) { take(record_hash(one, 0), {}); });
  });
  std::optional<Encoder> encoder;
  const TakeChatRecord take = [&](const ChatRecords& one) {
    if (!rows.next()) return;
    if (!encoder) {
      encoder.emplace(*this, one);
      encoder->reserve(rows.size() > 0 ? rows.size() : most_records(path, rows.limit()));
    }
    encoder->add(one, 0);
    if (guard && encoder->rows() % kGuardedRecords == 0) guard(encoder->bytes());
  };
  each(rows.limit(), take);
  return encoder->take();
}

}  // namespace frugal
