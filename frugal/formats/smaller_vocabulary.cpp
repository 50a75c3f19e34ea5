#include "frugal/formats/smaller_vocabulary.h"

#include <algorithm>
#include <string_view>
#include <unordered_set>

#include "frugal/base/error.h"

namespace frugal {

std::int32_t SmallerVocabulary::id_of(std::int32_t larger) const {
  const auto found = std::lower_bound(kept.begin(), kept.end(), larger);
  return found == kept.end() || *found != larger ? -1 : static_cast<std::int32_t>(found - kept.begin());
}

SmallerVocabulary smaller_vocabulary(const Tokenizer& tokenizer, const std::vector<std::string>& texts,
                                     const std::vector<std::int32_t>& also) {
  const TokenizerModel& larger = tokenizer.model();
  std::vector<bool> is_needed = tokenizer.needed_by(texts);
  const auto need = [&](std::int32_t id) {
    if (id >= 0 && id < tokenizer.size()) is_needed[static_cast<std::size_t>(id)] = true;
  };
  for (const std::int32_t id : {larger.bos, larger.eos, larger.unk, larger.pad}) need(id);
  for (const auto& added : larger.added) need(added.id);
  for (const std::int32_t id : also) need(id);

  SmallerVocabulary smaller;
  TokenizerModel& model = smaller.tokenizer;
  std::unordered_set<std::string_view> kept;
  for (std::size_t id = 0; id < is_needed.size(); ++id) {
    if (!is_needed[id] || larger.tokens[id].empty()) continue;
    smaller.kept.push_back(static_cast<std::int32_t>(id));
    model.tokens.push_back(larger.tokens[id]);
    kept.insert(larger.tokens[id]);
  }
  for (const std::string& merge : larger.merges) {
    const std::size_t space = merge.find(' ');
    const std::string_view left = std::string_view(merge).substr(0, space),
                           right = std::string_view(merge).substr(space + 1);
    if (kept.contains(left) && kept.contains(right) && kept.contains(std::string(left).append(right)))
      model.merges.push_back(merge);
  }
  if (model.merges.empty())
    throw Error(Exit::input, "the text has no word that is more than its bytes to the tokenizer",
                "give a text like what the model is for");
  for (TokenizerModel::Added added : larger.added) {
    added.id = smaller.id_of(added.id);
    model.added.push_back(std::move(added));
  }
  model.pre = larger.pre;
  model.nfc = larger.nfc;
  model.ignore_merges = larger.ignore_merges;
  model.add_bos = larger.add_bos;
  model.add_eos = larger.add_eos;
  model.bos = smaller.id_of(larger.bos);
  model.eos = smaller.id_of(larger.eos);
  model.unk = smaller.id_of(larger.unk);
  model.pad = smaller.id_of(larger.pad);
  return smaller;
}

}  // namespace frugal
