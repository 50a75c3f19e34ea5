#include "frugal/cli/verbs/verbs.h"

namespace frugal {

const std::vector<Verb>& verbs() {
  static const std::vector<Verb> all = {tune_verb(),  eval_verb(),   plan_verb(),    generate_verb(),
                                        chat_verb(),  merge_verb(),  convert_verb(), report_verb(),
                                        bench_verb(), doctor_verb(), list_verb(),    config_verb()};
  return all;
}

const Verb& verb_named(std::string_view name) {
  std::vector<std::string> names;
  for (const auto& verb : verbs()) {
    if (verb.name == name) return verb;
    names.emplace_back(verb.name);
  }
  throw Error(Exit::usage, "there is no verb '" + std::string(name) + "'" + did_you_mean(name, names),
              "see frugal --help");
}

}  // namespace frugal
