#include "frugal/verbs/common/labels.h"

#include <set>
#include <sstream>

#include "frugal/base/error.h"
#include "frugal/base/validate.h"
#include "frugal/formats/records/records.h"

namespace frugal {
namespace {

constexpr std::size_t kMostLabels = 1000;

std::string without_blanks(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n"), last = text.find_last_not_of(" \t\r\n");
  return first == std::string::npos ? "" : text.substr(first, last - first + 1);
}

}  // namespace

void settle_labels(Json& settings) {
  const auto labels = settings["labels"].get<std::vector<std::string>>();
  if (labels.size() != 1) return;
  std::vector<std::string> words;
  if (labels[0].starts_with('@')) {
    const std::string file = labels[0].substr(1);
    require_file("--labels", file);
    std::istringstream lines(read_text(file));
    for (std::string line; std::getline(lines, line);) {
      if (const std::string word = without_blanks(line); !word.empty()) words.push_back(word);
    }
  } else if (labels[0] == "auto") {
    const auto data = settings["data"].get<std::string>();
    require_given("--data", data, "--data train.jsonl");
    require_file("--data", data);
    std::set<std::string> found;
    each_record(data, settings["columns"].get<std::vector<std::string>>(), 0, [&](Records& one) {
      found.insert(
          without_blanks(one.text(0, one.column(settings["label_column"].get<std::string>(), "--label-column"))));
      if (found.size() > kMostLabels)
        throw Error(Exit::usage,
                    "--labels is auto, but " + data + " has over " + std::to_string(kMostLabels) + " values of " +
                        settings["label_column"].get<std::string>(),
                    "name another --label-column, or give the text to learn with --completion");
    });
    words.assign(found.begin(), found.end());
    for (const std::string& word : words) {
      if (word.find('=') != std::string::npos)
        throw Error(Exit::usage, "--labels is auto, but the value '" + word + "' has a =, which parts value and word",
                    "write them out: --labels value=word,...");
    }
  } else {
    return;
  }
  if (words.size() > kMostLabels)
    throw Error(Exit::usage,
                "--labels " + labels[0] + " has " + std::to_string(words.size()) + " labels, at most " +
                    std::to_string(kMostLabels) + " are scored",
                "give the text to learn with --completion");
  settings["labels"] = words;
}

}  // namespace frugal
