#include "frugal/data/prompt_task.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "frugal/base/error.h"
#include "frugal/data/description.h"

namespace frugal {
namespace {

std::string_view trimmed(std::string_view text) {
  constexpr std::string_view kSpace = " \t\r\n";
  const std::size_t begin = text.find_first_not_of(kSpace);
  return begin == std::string_view::npos ? std::string_view()
                                         : text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::string listed(const std::vector<Label>& labels) {
  std::string text;
  for (const auto& label : labels) text += (text.empty() ? "" : ", ") + label.value;
  return text;
}

LengthHistogram prompt_lengths(const Dataset& data) {
  std::vector<std::size_t> lengths;
  for (const auto& example : data.examples) lengths.push_back(example.prompt.size());
  return LengthHistogram(lengths);
}

}  // namespace

std::vector<Label> parse_labels(const std::vector<std::string>& texts) {
  std::vector<Label> labels;
  const auto fix = "write them like --labels negative,positive or --labels ham=No,spam=Yes";
  for (const auto& text : texts) {
    const std::size_t equals = text.find('=');
    const Label label =
        equals == std::string::npos ? Label{text, text} : Label{text.substr(0, equals), text.substr(equals + 1)};
    if (trimmed(label.value).empty() || trimmed(label.word).empty()) {
      throw Error(Exit::usage, "label " + std::to_string(labels.size() + 1) + " of --labels is empty: '" + text + "'",
                  fix);
    }
    for (const auto& other : labels) {
      if (other.value == label.value) throw Error(Exit::usage, "label '" + label.value + "' is in --labels twice", fix);
      if (other.word == label.word) throw Error(Exit::usage, "word '" + label.word + "' is in --labels twice", fix);
    }
    labels.push_back(label);
  }
  if (labels.size() < 2)
    throw Error(Exit::usage, "--labels has " + std::to_string(labels.size()) + " labels, expected at least 2", fix);
  return labels;
}

PromptTask::PromptTask(const PromptConfig& config, const Tokenizer& tokenizer)
    : template_(config.prompt_template),
      labels_(parse_labels(config.labels)),
      label_column_(config.label_column),
      max_length_(config.max_length),
      tokenizer_(tokenizer) {
  for (const auto& text : config.labels) is_mapped_ |= text.find('=') != std::string::npos;
  for (const auto& column : template_.columns()) {
    if (column == label_column_) {
      throw Error(Exit::usage, "--template shows the answer: it holds {" + column + "}, the label column",
                  "leave it out, or name another column with --label-column");
    }
  }
  const std::string before = template_.ends_in_space() ? "" : " ";
  for (const auto& label : labels_) {
    options_.push_back(tokenizer.encode(before + label.word));
    if (options_.back().empty())
      throw Error(Exit::usage, "label word '" + label.word + "' has no tokens", "choose another word");
    for (std::size_t i = 0; i + 1 < options_.size(); ++i) {
      if (options_[i] == options_.back()) {
        throw Error(Exit::usage, "label words '" + labels_[i].word + "' and '" + label.word + "' are the same tokens",
                    "choose another word");
      }
    }
    longest_option_ = std::max(longest_option_, static_cast<std::int64_t>(options_.back().size()));
  }
  const auto tail = static_cast<std::int64_t>(tokenizer.encode(template_.tail()).size());
  const std::int64_t needed = tail + longest_option_ + 2;  // bos and one token of text
  if (needed > max_length_) {
    throw Error(Exit::input,
                "--max-length is " + std::to_string(max_length_) +
                    ", but the template's end and the label words need " + std::to_string(needed),
                "raise --max-length to at least " + std::to_string(needed));
  }
}

bool PromptTask::has_single_token_options() const { return longest_option_ == 1; }

// A plain list also takes the index of a label, as many data sets have it.
std::int32_t PromptTask::label_of(std::string_view value) const {
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    if (labels_[i].value == value) return static_cast<std::int32_t>(i);
  }
  std::size_t index = 0;
  const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), index);
  const bool is_index =
      !is_mapped_ && error == std::errc() && end == value.data() + value.size() && index < labels_.size();
  return is_index ? static_cast<std::int32_t>(index) : -1;
}

void PromptTask::add(const Records& records, std::size_t row, const Bound& bound, Dataset& data) const {
  const std::string_view value = trimmed(records.text(row, bound.label));
  Example example{.label = label_of(value), .row = static_cast<std::uint32_t>(data.examples.size())};
  if (example.label < 0) {
    throw Error(Exit::input,
                records.name + " line " + std::to_string(records.rows[row].line) + ": label '" +
                    std::string(value.substr(0, 80)) + "' is none of " + listed(labels_),
                "give its word with --labels, as in --labels value=word,..., or choose another --label-column");
  }
  const bool has_bos = tokenizer_.model().add_bos && tokenizer_.model().bos >= 0;
  const auto room = static_cast<std::size_t>(max_length_ - longest_option_ - (has_bos ? 1 : 0));
  const std::vector<std::int32_t> ids = tokenizer_.encode(template_.render(records, row, bound.columns));
  example.is_truncated = ids.size() > room;
  data.truncated += example.is_truncated;
  const std::size_t kept = std::min(ids.size(), room);
  example.prompt.reserve(kept + has_bos);  // as much as it takes, and no more
  if (has_bos) example.prompt.push_back(tokenizer_.model().bos);
  example.prompt.insert(example.prompt.end(), ids.end() - static_cast<std::ptrdiff_t>(kept), ids.end());
  data.bytes += sizeof(Example) + list_bytes(example.prompt.size() * sizeof ids[0]);
  ++data.label_counts[static_cast<std::size_t>(example.label)];
  data.examples.push_back(std::move(example));
}

Dataset PromptTask::encode(const Records& records) const {
  Dataset data{.name = records.name};
  data.label_counts.resize(labels_.size());
  const Bound bound = bind(records);
  for (std::size_t row = 0; row < records.rows.size(); ++row) add(records, row, bound, data);
  return data;
}

Dataset PromptTask::load(const std::filesystem::path& path, const std::vector<std::string>& columns,
                         const RowChoice& choice, const std::function<void(std::uint64_t)>& guard) const {
  Dataset data{.name = path.string()};
  data.label_counts.resize(labels_.size());
  ChosenRows rows(choice, path.string(), [&](const ChosenRows::Take& take) {
    each_record(path, columns, 0,
                [&](Records& one) { take(record_hash(one, 0), trimmed(one.text(0, one.column(label_column_)))); });
  });
  std::optional<Bound> bound;
  each_record(path, columns, rows.limit(), [&](Records& one) {
    if (!rows.next()) return;
    if (!bound) {
      bound = bind(one);
      data.examples.reserve(rows.size() > 0 ? rows.size() : most_records(path, rows.limit()));
    }
    add(one, 0, *bound, data);
    if (guard && data.examples.size() % kGuardedRecords == 0) guard(data.bytes);
  });
  return data;
}

Json PromptTask::describe(const Dataset& data) const {
  const Example& first = data.examples.front();
  Json json = {{"file", data.name}, {"examples", data.examples.size()}};
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    json["labels"].push_back({{"value", labels_[i].value},
                              {"word", labels_[i].word},
                              {"tokens", options_[i].size()},
                              {"examples", data.label_counts[i]}});
  }
  json["prompt_tokens"] = prompt_lengths(data).to_json();
  json["truncated"] = data.truncated;
  json["first"] = {{"prompt", tokenizer_.decode(first.prompt, false)},
                   {"scored", tokenizer_.decode(options_[static_cast<std::size_t>(first.label)], false)}};
  return json;
}

std::string PromptTask::describe_text(const Dataset& data) const {
  const Json json = describe(data);
  std::string text = data.name + ": " + std::to_string(data.examples.size()) +
                     " examples; the first one, what is scored between >> and <<:\n";
  text +=
      indented(json["first"]["prompt"].get<std::string>() + ">>" + json["first"]["scored"].get<std::string>() + "<<") +
      "\nlabels:";
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    text += (i == 0 ? " " : ", ") + labels_[i].value +
            (labels_[i].value == labels_[i].word ? "" : " = '" + labels_[i].word + "'") + " " +
            std::to_string(data.label_counts[i]);
    if (options_[i].size() > 1) text += " (" + std::to_string(options_[i].size()) + " tokens)";
  }
  return text + "\ntruncated to " + std::to_string(max_length_) + " tokens: " + std::to_string(data.truncated) +
         " of " + std::to_string(data.examples.size()) + " (" + percent(data.truncated, data.examples.size()) +
         ")\nprompt length in tokens:\n" + prompt_lengths(data).to_text();
}

}  // namespace frugal
