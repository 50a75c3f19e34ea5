// Weights streamed from the file: the same bits as when all of it stays resident, in a bounded part of memory.
#include "frugal/formats/file_window.h"

#include <gtest/gtest.h>

#include "frugal/core/budget/memory_usage.h"
#include "frugal/formats/tests/small_model.h"
#include "frugal/nn/generate/generate.h"
#include "frugal/nn/model/decoder.h"

namespace frugal {
namespace {

using namespace formats_tests;

constexpr std::uint64_t kMiB = 1 << 20;

// Eight layers of 6.5 MiB in bf16, so that a window of two is a small part of the file.
std::shared_ptr<const ModelSource> model() {
  static const TemporaryFolder folder;
  static const std::filesystem::path path = [] {
    ModelShape shape = small_shape(false);
    shape.hidden = 512;
    shape.head_dim = 64;
    shape.layers.assign(8, LayerShape{8, 8, 1536});
    const SmallModel made(shape);
    export_gguf(made, rows_of(made), "bf16", folder / "model.gguf", ignore_progress);
    return folder / "model.gguf";
  }();
  return ModelSource::open(path);
}

struct Loaded {
  explicit Loaded(std::uint64_t window)
      : team(2, single_threaded_torch),
        store(source, WeightType::stored, team),
        view(store),
        decoder(store.shape(), team, Compute::f32) {
    if (window > 0) store.keep_resident(window);
  }
  std::vector<double> losses() {
    PackedBatch batch;
    std::vector<std::int32_t> tokens(24);
    for (std::size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<std::int32_t>(i * 37 % 250);
    batch.append(tokens);
    std::vector<Pass::Query> queries;
    for (std::int64_t t = 0; t < 23; ++t) queries.push_back({t, tokens[static_cast<std::size_t>(t + 1)]});
    return decoder.forward(view, batch)->log_probabilities(queries);
  }
  Threads team;
  std::shared_ptr<const ModelSource> source = model();
  WeightStore store;
  BaseView view;
  Decoder decoder;
};

TEST(FileWindow, StreamedWeightsGiveTheSameBits) {
  Loaded whole(0), streamed(1);
  const std::uint64_t least = FileWindow::least(*whole.source);
  ASSERT_LT(3 * least, whole.source->file_bytes());
  EXPECT_EQ(streamed.store.window()->limit(), least);
  for (int pass = 0; pass < 2; ++pass) EXPECT_EQ(streamed.losses(), whole.losses());
  EXPECT_LE(streamed.store.window()->most_held(), least);
  EXPECT_GT(streamed.store.window()->entered_bytes(), 3 * whole.source->file_bytes() / 2)
      << "both passes read the file";

  const std::vector<std::int32_t> prompt = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10};
  const auto text = [&](Loaded& of) {
    GenerationOptions options;
    options.max_new_tokens = 6;
    options.sampling.temperature = 0;
    KvCache cache(of.store.shape(), 32, Compute::f32);
    return generate(of.decoder, of.view, cache, prompt, options, [](std::int32_t) { return true; });
  };
  EXPECT_EQ(text(streamed), text(whole));
}

// A pass through a window of half the file reads what does not stay, and no more.
TEST(FileWindow, WhatHasRoomStays) {
  Loaded half(FileWindow::least(*model()) + 30 * kMiB);
  half.losses();
  const FileWindow& window = *half.store.window();
  EXPECT_GT(window.pinned_bytes(), 24 * kMiB);
  EXPECT_LE(window.pinned_bytes(), 30 * kMiB);
  const std::uint64_t first = window.entered_bytes();
  half.losses();
  const std::uint64_t second = window.entered_bytes() - first, all = half.source->file_bytes();
  EXPECT_LE(second, all - window.pinned_bytes());
  EXPECT_GT(second, all / 4);
  EXPECT_LE(window.most_held(), window.limit());
}

TEST(FileWindow, ResidentPagesStayWithinIt) {
  const auto growth = [](std::uint64_t limit) {
    Loaded loaded(limit);
    loaded.losses();  // code and kernels are resident from here on
    for (std::size_t id = 0; id < loaded.store.size(); ++id) loaded.source->release(id);
    const std::uint64_t before = memory_usage().file;
    loaded.losses();
    const std::uint64_t after = memory_usage().file;
    return after - std::min(after, before);
  };
  const std::uint64_t least = FileWindow::least(*model());
  EXPECT_LE(growth(least), least + 4 * kMiB);
  EXPECT_GE(growth(0), model()->file_bytes() * 9 / 10);
}

// A smaller window over the same file takes the place of a larger one: pages that this one held do not stay beside it.
TEST(FileWindow, WhatItHeldGoesWithIt) {
  Loaded loaded(FileWindow::least(*model()) + 30 * kMiB);
  loaded.losses();
  const std::uint64_t before = memory_usage().file;
  loaded.store.keep_resident(1);
  EXPECT_LE(memory_usage().file + 24 * kMiB, before);
}

// The file may be open for longer than a store of its weights as stored.
TEST(FileWindow, PagesGoWithTheStore) {
  std::shared_ptr<const ModelSource> source;
  std::uint64_t before = 0;
  {
    Loaded loaded(0);
    source = loaded.source;
    loaded.losses();
    before = memory_usage().file;
  }
  EXPECT_LE(memory_usage().file + source->file_bytes() * 9 / 10, before);
}

// Any order, any thread.
TEST(FileWindow, ReadersMayMeet) {
  Loaded streamed(1), whole(0);
  const auto tensors = static_cast<std::int64_t>(streamed.store.size());
  std::vector<char> same(static_cast<std::size_t>(4 * tensors), 0);
  streamed.team.run(4 * tensors, [&](std::int64_t item, int) {
    const auto id = static_cast<std::size_t>(item * 31 % tensors);
    const TensorSpec& spec = streamed.store.spec(id);
    const std::int64_t begin = spec.rows / 2, end = std::min(spec.rows, begin + 40);
    std::vector<float> a(static_cast<std::size_t>((end - begin) * spec.cols)), b(a.size());
    streamed.store.read_rows(id, begin, end, a.data());
    whole.store.read_rows(id, begin, end, b.data());
    same[static_cast<std::size_t>(item)] = a == b;
  });
  EXPECT_EQ(std::count(same.begin(), same.end(), 1), 4 * tensors);
  EXPECT_LE(streamed.store.window()->most_held(), streamed.store.window()->limit());
}

}  // namespace
}  // namespace frugal
