// The masked models of an iteration of Bonsai, as frugal prune evaluates them: how many a second, and what they are, so
// that another program can evaluate the same ones. bench/peers/masks.py does.
// usage: bench_bonsai_masks MODEL TEXT [SETTINGS [OUT.json]]
// SETTINGS is JSON; what it leaves out is as below. One line of JSON with the rates; OUT gets windows, masks and
// losses.
#include <chrono>
#include <iostream>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/base/json_text.h"
#include "frugal/base/processor.h"
#include "frugal/core/budget/memory_usage.h"
#include "frugal/formats/tokenizer.h"
#include "frugal/prune/bonsai/torch/design.h"
#include "frugal/prune/bonsai/torch/race.h"
#include "frugal/prune/torch/statistics.h"

namespace frugal::bonsai {
namespace {

Json masks_json(const std::vector<ModelMask>& masks) {
  Json all = Json::array();
  for (const ModelMask& mask : masks) {
    Json layers = Json::array();
    for (const UnitMask& layer : mask) layers.push_back({{"heads", layer.heads}, {"neurons", layer.neurons}});
    all.push_back(layers);
  }
  return all;
}

void run(int argc, char** argv) {
  if (argc < 3) throw Error(Exit::usage, "a model and a text are needed", "bench_bonsai_masks MODEL TEXT");
  Json settings = {{"masks", 32},      {"windows", 8},      {"window_length", 256},
                   {"together", 4},    {"step", 0.05},      {"design", "full"},
                   {"tolerance", 0.0}, {"weights", "bf16"}, {"threads", usable_cores()},
                   {"seed", 1}};
  if (argc > 3) settings.update(json_of(argv[3]));
  const auto number = [&](const char* name) { return settings[name].get<std::int64_t>(); };
  const auto seed = settings["seed"].get<std::uint64_t>();
  const bool is_f32 = settings["weights"] == "f32";

  Threads threads(static_cast<int>(number("threads")), single_threaded_torch);
  const std::shared_ptr<const ModelSource> source = ModelSource::open(argv[1]);
  const auto tokenizer = source->tokenizer();
  PruneModel model(source, is_f32 ? WeightType::f32 : WeightType::bf16, is_f32 ? Compute::f32 : best_compute(), threads,
                   tokenizer->encode(read_file(argv[2])), tokenizer->model().add_bos ? tokenizer->model().bos : -1);
  const Windows windows = model.windows(seed, 0, number("windows"), number("window_length"));
  const std::int64_t pairs = number("masks") / 2, together = number("together") / 2;
  const double q = settings["step"].get<double>();
  const Design design(model.shape(), units_of(model.shape()), unit_scores(model, windows, Prior::wanda),
                      {.q = q, .head_q = q, .is_block = settings["design"] == "block", .pairs = pairs, .seed = seed});

  std::vector<ModelMask> all;
  std::vector<double> losses;
  std::int64_t seen = 0;
  Prefix prefix;
  const auto begin = std::chrono::steady_clock::now();
  for (std::int64_t first = 0; first < pairs; first += together) {
    std::vector<ModelMask> masks;
    for (std::int64_t index = first; index < std::min(pairs, first + together); ++index) {
      const MaskPair pair = design.pair(index);
      if (index == first) model.advance(prefix, windows, pair.begin);
      masks.push_back(design.mask(pair.first));
      masks.push_back(design.mask(pair.second));
    }
    const RaceResult found = race(model, windows, prefix, masks, settings["tolerance"].get<double>(), losses);
    losses.insert(losses.end(), found.losses.begin(), found.losses.end());
    all.insert(all.end(), masks.begin(), masks.end());
    seen += found.windows;
  }
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  settings.update(
      {{"seconds", seconds},
       {"masks_per_second", static_cast<double>(losses.size()) / seconds},
       {"share_of_windows", static_cast<double>(seen) / static_cast<double>(losses.size() * windows.size())},
       {"peak_rss_bytes", memory_usage().peak}});
  std::cout << settings.dump() << std::endl;
  if (argc > 4)
    write_file(
        argv[4],
        Json{{"settings", settings}, {"windows", windows}, {"masks", masks_json(all)}, {"losses", losses}}.dump());
}

}  // namespace
}  // namespace frugal::bonsai

int main(int argc, char** argv) {
  try {
    frugal::bonsai::run(argc, argv);
  } catch (const frugal::Error& error) {
    std::cerr << "error: " << error.what() << "\nfix: " << error.fix() << std::endl;
    return static_cast<int>(error.code());
  }
  return 0;
}
