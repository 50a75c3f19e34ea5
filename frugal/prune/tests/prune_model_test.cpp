#include "frugal/prune/torch/prune_model.h"

#include <gtest/gtest.h>

#include "frugal/formats/file_window.h"

namespace frugal {
namespace {

std::vector<std::int32_t> some_text() {
  std::vector<std::int32_t> tokens(400);
  for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>((i * i * 7 + i * 13) % 60);
  return tokens;
}

// What is left of a model is read from its file, of which no more stays resident than the window has: the same bits as
// of a copy.
TEST(PruneModelTest, WeightsInTheFileAreAsGoodAsACopy) {
  const std::shared_ptr<const ModelSource> source =
      ModelSource::open(std::string(FRUGAL_SOURCE_DIR) + "/frugal/nn/tests/golden/tied");
  Threads team(2, single_threaded_torch);
  PruneModel copy(source, WeightType::f32, Compute::f32, team, some_text(), -1),
      stored(source, WeightType::stored, Compute::f32, team, some_text(), -1, FileWindow::least(*source));
  const Windows windows = copy.windows(1, 0, 3, 24);
  for (int round = 0; round < 2; ++round) {
    ModelMask mask(copy.shape().layers.size());
    mask[1].neurons = {0, 3, 4};
    const std::vector<ModelMask> masks = {ModelMask(mask.size()), mask};
    const std::vector<double> expected = copy.losses(windows, masks), found = stored.losses(windows, masks);
    EXPECT_EQ(found, expected);
    EXPECT_NE(found[0], found[1]);
    ASSERT_NE(stored.store().window(), nullptr);
    EXPECT_GT(stored.store().window()->entered_bytes(), 0u);
    EXPECT_LE(stored.store().window()->most_held(), stored.store().window()->limit());
    const std::vector<Unit> units = units_of(copy.shape());
    std::vector<Unit> gone;
    for (std::size_t u = 0; u < units.size(); u += 5) {
      if (units[u].kind == UnitKind::neuron) gone.push_back(units[u]);
    }
    copy.remove(gone);
    stored.remove(gone);
  }
}

}  // namespace
}  // namespace frugal
