#include "frugal/signals/swarm/model_card.h"

#include "frugal/base/atomic_file.h"
#include "frugal/base/json_text.h"
#include "frugal/signals/swarm/corpus.h"
#include "frugal/signals/swarm/tracks.h"

namespace frugal::swarm {
namespace {
constexpr const char* kFormat = "frugal swarm classifier 1";
}

std::int64_t ModelCard::inputs() const { return feature_count(config.engagement.agents, config.features); }

Json ModelCard::json() const {
  Json classes = Json::array();
  for (int k = 0; k < kTactics; ++k) classes.push_back(name(static_cast<Tactic>(k)));
  return {{"format", kFormat}, {"steps", steps}, {"classes", classes}, {"settings", to_json(config)}};
}

ModelCard ModelCard::read(const std::filesystem::path& run) {
  const auto path = run / "model.json";
  if (!std::filesystem::exists(path) || !std::filesystem::exists(run / "model.safetensors")) {
    throw Error(Exit::input, run.string() + " holds no model.json and model.safetensors",
                "a run of `frugal swarm train` writes them when it ends; --resume goes on with one");
  }
  const Json json = json_of(read_file(path, kMostSettings));
  if (!json.is_object() || json.value("format", "") != kFormat || !json.contains("settings") ||
      !json["settings"].is_object() || !json.contains("steps") || !json["steps"].is_number_integer())
    throw Error(Exit::input, path.string() + " is not the description of a swarm classifier", "take it from a run");
  ModelCard card{.config = from_json<TrainConfig>(json["settings"]), .steps = json["steps"].get<std::int64_t>()};
  validate(card.config);
  if (card.steps < card.config.window || card.steps > 5001) {
    throw Error(Exit::input,
                path.string() + " has steps " + std::to_string(card.steps) + ", expected " +
                    std::to_string(card.config.window) + " to 5001",
                "take it from a run");
  }
  return card;
}

ModelCard check_evaluation(const EvaluateConfig& c) {
  ModelCard card = ModelCard::read(c.run);
  const std::int64_t agents = agents_of(c.data);
  if (agents != card.config.engagement.agents) {
    throw Error(Exit::input,
                c.data + " has tracks of " + std::to_string(agents) + " agents, expected " +
                    std::to_string(card.config.engagement.agents) + " as " + c.run + " was trained on",
                "train with --agents " + std::to_string(agents) + ", or give tracks of as many agents");
  }
  return card;
}

}  // namespace frugal::swarm
