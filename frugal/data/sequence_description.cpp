#include "frugal/data/description.h"
#include "frugal/data/sequence_task.h"

namespace frugal {
Json SequenceTask::describe(const SequenceDataset& data) const {
  std::vector<std::size_t> lengths;
  for (const auto& sequence : data.sequences) lengths.push_back(sequence.tokens.size());
  Json json = {{"file", data.name},
               {"format", data_format_name(data.format)},
               {"loss_on", data.format == DataFormat::text ? "all" : config_.loss_on},
               {"sequences", data.sequences.size()},
               {"tokens", data.tokens},
               {"targets", data.targets},
               {"truncated", data.truncated},
               {"dropped", data.dropped},
               {"sequence_tokens", LengthHistogram(lengths).to_json()}};
  const Sequence& first = data.sequences.front();
  Json parts = Json::array();
  for (std::size_t begin = 0, end = 0; begin < first.tokens.size(); begin = end) {
    while (end < first.tokens.size() && first.is_target[end] == first.is_target[begin]) ++end;
    const std::vector<std::int32_t> ids(first.tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                                        first.tokens.begin() + static_cast<std::ptrdiff_t>(end));
    parts.push_back({{"text", shortened(tokenizer_.decode(ids, false))}, {"is_target", first.is_target[begin] != 0}});
  }
  json["first"] = std::move(parts);
  return json;
}

std::string SequenceTask::describe_text(const SequenceDataset& data) const {
  std::string first;
  const Json json = describe(data);
  for (const Json& part : json["first"]) {
    const bool is_target = part["is_target"];
    first += (is_target ? ">>" : "") + part["text"].get<std::string>() + (is_target ? "<<" : "");
  }
  std::vector<std::size_t> lengths;
  for (const auto& sequence : data.sequences) lengths.push_back(sequence.tokens.size());
  std::string text = data.name + ": " + grouped(data.sequences.size()) + " sequences (" +
                     data_format_name(data.format) + "); the first one, what is trained between >> and <<:\n" +
                     indented(first) + "\ntokens: " + grouped(data.tokens) + ", trained: " + grouped(data.targets) +
                     " (" + percent(data.targets, data.tokens) + ")";
  if (data.format != DataFormat::text) {
    text += "\ntruncated to " + std::to_string(max_length_) + " tokens: " + std::to_string(data.truncated) + " of " +
            std::to_string(data.sequences.size()) + " (" + percent(data.truncated, data.sequences.size()) + ")";
  }
  return text + lengths_text("sequence", lengths, data.dropped, max_length_);
}

}  // namespace frugal
