// Classification as a language model sees it: a prompt, and after it one of a few label words.
#pragma once
#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "frugal/base/config.h"
#include "frugal/data/prompt_template.h"
#include "frugal/data/row_choice.h"
#include "frugal/formats/records/records.h"
#include "frugal/formats/tokenizer.h"

namespace frugal {

struct PromptConfig {
  std::string prompt_template;
  std::vector<std::string> labels;
  std::string label_column = "label";
  std::vector<std::string> columns;
  std::int64_t max_length = 256;

  template <class Self, class Visitor>
  static void fields(Self& c, Visitor&& v) {
    v({.name = "template",
       .help = "the prompt, with columns in braces: \"Review: {text}\\nSentiment:\"",
       .group = "data"},
      c.prompt_template);
    v({.name = "labels",
       .help =
           "the words scored after the prompt: negative,positive; from the data's values: ham=No,spam=Yes; auto: the "
           "values that --data has; @FILE: one a line",
       .group = "data"},
      c.labels);
    v({.name = "label_column", .help = "column that holds the label", .group = "data"}, c.label_column);
    v({.name = "columns",
       .help = "names of the columns of a csv or tsv file without a header line: label,text",
       .group = "data"},
      c.columns);
    v({.name = "max_length",
       .help = "tokens of a prompt and its longest label, >= 8; longer prompts lose their beginning; without --labels "
               "1024, of the whole sequence",
       .group = "data"},
      c.max_length);
  }
};

struct Label {
  std::string value;  // in the data
  std::string word;   // in the prompt
};

struct Example {
  std::vector<std::int32_t> prompt;  // token ids, bos included where the model wants it
  std::int32_t label = 0;            // index into the task's labels
  bool is_truncated = false;
  std::uint32_t row = 0;  // of the records
};

struct Dataset {
  std::string name;  // the file
  std::vector<Example> examples;
  std::vector<std::uint32_t> label_counts;
  std::uint64_t truncated = 0;
  std::uint64_t bytes = 0;  // that the examples take in memory
};

class PromptTask {
 public:
  // Error(Exit::usage): no template, fewer than two labels, a label or word empty or twice, two words of the same
  // tokens, the label column in the template. Error(Exit::input): words and the template's tail leave no room within
  // max_length.
  PromptTask(const PromptConfig& config, const Tokenizer& tokenizer);

  const std::vector<Label>& labels() const { return labels_; }
  // Token ids of each label word as it follows the prompt, encoded on its own so that prompt and word never merge.
  const std::vector<std::vector<std::int32_t>>& options() const { return options_; }
  bool has_single_token_options() const;

  // In the order of the records. Error(Exit::input), with the line: a column missing, a label that is none of the
  // labels.
  Dataset encode(const Records& records) const;
  // The same of a file, of which a record at a time is in memory beside what has been encoded. columns: see
  // read_records; guard: called now and then with the bytes that they take so far, may throw.
  Dataset load(const std::filesystem::path& path, const std::vector<std::string>& columns, const RowChoice& choice,
               const std::function<void(std::uint64_t)>& guard = {}) const;

  // What is trained, as shown before it is: one rendered example, lengths, labels, the share truncated.
  Json describe(const Dataset& data) const;
  std::string describe_text(const Dataset& data) const;

 private:
  struct Bound {  // the template's columns in a table, and the label's
    std::vector<std::uint32_t> columns;
    std::uint32_t label = 0;
  };
  Bound bind(const Records& records) const { return {template_.bind(records), records.column(label_column_)}; }
  void add(const Records& records, std::size_t row, const Bound& bound, Dataset& data) const;
  std::int32_t label_of(std::string_view value) const;  // -1: none
  PromptTemplate template_;
  std::vector<Label> labels_;
  bool is_mapped_ = false;  // written value=word
  std::string label_column_;
  std::vector<std::vector<std::int32_t>> options_;
  std::int64_t max_length_, longest_option_ = 0;
  const Tokenizer& tokenizer_;
};

// "ham=No" or "negative"; Error(Exit::usage).
std::vector<Label> parse_labels(const std::vector<std::string>& labels);

}  // namespace frugal
