// Blocks and their order, with the mistakes of the reference implementation that these would catch.
#include "frugal/tune/badam/partition.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <set>

#include "frugal/formats/model_shape.h"

namespace frugal {
namespace {

std::vector<TensorSpec> tensors_of(std::int64_t layers) {
  ModelShape shape;
  shape.vocab = 10;
  shape.hidden = 8;
  shape.head_dim = 4;
  shape.layers = std::vector<LayerShape>(static_cast<std::size_t>(layers), {2, 1, 16});
  return tensor_specs(shape);
}

void expect_refused(const BadamConfig& config, const std::string& part) {
  try {
    partition_blocks(tensors_of(2), config);
    FAIL() << part;
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), Exit::usage);
    EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
  }
}

// Substring matching would put layers.10 into layers.1.
TEST(BadamPartition, ALayerIsABlockAndTheRestIsFrozen) {
  const auto tensors = tensors_of(12);
  const Partition partition = partition_blocks(tensors, {});
  ASSERT_EQ(partition.blocks.size(), 12u);
  for (const ParameterBlock& block : partition.blocks) {
    EXPECT_EQ(block.members.size(), 9u) << block.name;
    for (const std::size_t i : block.members) EXPECT_TRUE(tensors[i].name.starts_with(block.name)) << tensors[i].name;
  }
  EXPECT_EQ(partition.frozen.size(), tensors.size() - 12 * 9);
}

TEST(BadamPartition, ModulesAndMatricesTakeTheirNormsAlong) {
  for (const auto& [kind, blocks] : {std::pair("module", 4u), {"matrix", 14u}}) {
    BadamConfig config;
    config.block = kind;
    const Partition partition = partition_blocks(tensors_of(2), config);
    EXPECT_EQ(partition.blocks.size(), blocks);
    std::set<std::size_t> members;
    for (const ParameterBlock& block : partition.blocks) members.insert(block.members.begin(), block.members.end());
    EXPECT_EQ(members.size(), 18u) << "each parameter of a layer is in one block, norms too";
  }
}

TEST(BadamPartition, CustomBlocksAndRefusals) {
  BadamConfig config;
  config.block = "custom:model.layers.0+model.norm;model.layers.1.mlp";
  const Partition partition = partition_blocks(tensors_of(2), config);
  ASSERT_EQ(partition.blocks.size(), 2u);
  EXPECT_EQ(partition.blocks[0].members.size(), 10u);
  config.block = "custom:model.layers.0;model.layers.0.mlp";
  expect_refused(config, "into block 0 and block 1 of");
  config.block = "custom:model.layers.7";
  expect_refused(config, "matches no parameter");
  config = {};
  config.always_active = {"head"};
  expect_refused(config, "head");
  config = {};
  config.start_block = 2;
  expect_refused(config, "there are 2 blocks");
  for (const char* every : {"0", "-1", "x"}) EXPECT_THROW(SwitchEvery::parse(every), Error) << every;
  config = {};
  config.switch_mode = "fixed";
  EXPECT_THROW(validate(config), Error) << "fixed without a block";
}

// Every block gets exactly `every` steps, the first one too, and each once a round.
TEST(BadamPartition, TurnsAreWholeAndRoundsArePermutations) {
  for (const char* mode : {"random", "ascending", "descending"}) {
    BadamConfig config;
    config.switch_mode = mode;
    std::vector<std::size_t> first;
    for (std::uint64_t round = 0; round < 3; ++round) {
      std::set<std::size_t> seen;
      for (std::uint64_t turn = 0; turn < 5; ++turn) {
        const std::uint64_t begin = (round * 5 + turn) * 7;
        const std::size_t block = block_at(begin, 5, 7, config, 3);
        for (std::uint64_t step = begin; step < begin + 7; ++step) EXPECT_EQ(block_at(step, 5, 7, config, 3), block);
        seen.insert(block);
        if (round == 0) first.push_back(block);
      }
      EXPECT_EQ(seen.size(), 5u) << mode;
    }
    if (std::string(mode) == "ascending") {
      EXPECT_EQ(first, (std::vector<std::size_t>{0, 1, 2, 3, 4}));
    }
    if (std::string(mode) == "descending") {
      EXPECT_EQ(first, (std::vector<std::size_t>{4, 3, 2, 1, 0}));
    }
    config.start_block = 3;
    EXPECT_EQ(block_at(0, 5, 7, config, 3), 3u) << mode;
  }
}

// The order comes from the run's seed and the round: in the reference from the process's generator, so that ranks
// activate different blocks, and nothing drawn elsewhere may change it.
TEST(BadamPartition, TheOrderIsThatOfTheSeed) {
  const auto order_of = [](std::uint64_t seed) {
    std::vector<std::size_t> order;
    for (std::uint64_t step = 0; step < 24; ++step) order.push_back(block_at(step, 12, 1, {}, seed));
    return order;
  };
  const auto order = order_of(3);
  std::srand(7);
  EXPECT_EQ(order_of(3), order);
  EXPECT_NE(order_of(4), order);
  EXPECT_NE(std::vector(order.begin(), order.begin() + 12), std::vector(order.begin() + 12, order.end()));
  for (std::uint64_t step = 24; step-- > 0;)
    EXPECT_EQ(block_at(step, 12, 1, {}, 3), order[step]) << "any order of asking";
}

// The embedding is the head where they are tied: one block. The reference's pattern of names leaves models of other
// families without any block, silently; here layer and role say what a block is, whatever the names.
TEST(BadamPartition, WhatIsIncludedIsABlock) {
  const auto tensors = tensors_of(2);
  BadamConfig config;
  config.include_embedding = config.include_lm_head = true;
  const Partition partition = partition_blocks(tensors, config);
  ASSERT_EQ(partition.blocks.size(), 4u);
  EXPECT_TRUE(partition.frozen.empty());
  EXPECT_EQ(partition.blocks.front().name, "embedding");
  EXPECT_EQ(partition.blocks.back().name, "head");
  for (const char* layer : {"encoder.layer.", "transformer.h.", "decoder.block.", "blocks."}) {
    const std::vector<TensorSpec> other = {{.name = std::string(layer) + "0.a.weight", .layer = 0, .role = Role::q},
                                           {.name = std::string(layer) + "10.a.weight", .layer = 10, .role = Role::q}};
    const Partition found = partition_blocks(other, {});
    ASSERT_EQ(found.blocks.size(), 2u) << layer;
    EXPECT_EQ(found.blocks[1].name, std::string(layer) + "10.");
  }
  EXPECT_THROW(partition_blocks({{.name = "a.weight"}, {.name = "b.weight"}}, {}), Error) << "nothing to train";
}

TEST(BadamRatio, TakesTheLayersAndHasNoBlocks) {
  const auto tensors = tensors_of(2);
  BadamConfig config;
  config.ratio = 0.1;
  validate(config);
  const auto chosen = in_turns(tensors, config);
  for (std::size_t i = 0; i < tensors.size(); ++i)
    EXPECT_EQ(chosen[i], tensors[i].name.find(".layers.") != std::string::npos) << tensors[i].name;
  config.include_embedding = true;
  EXPECT_TRUE(in_turns(tensors, config)[0]);

  const auto refused = [&](const auto& change) {
    BadamConfig wrong = config;
    change(wrong);
    EXPECT_THROW(validate(wrong), Error);
  };
  refused([](BadamConfig& c) { c.block = "module"; });
  refused([](BadamConfig& c) { c.switch_mode = "ascending"; });
  refused([](BadamConfig& c) { c.start_block = 1; });
  refused([](BadamConfig& c) { c.always_active = {"model.norm"}; });
  refused([](BadamConfig& c) { c.keep_residual = true; });
  refused([](BadamConfig& c) { c.trained.train = "lora"; });
  refused([](BadamConfig& c) { c.ratio = 1.5; });
  refused([](BadamConfig& c) {
    c.ratio = 0;
    c.mask = "scatter";
  });
  BadamConfig stochastic;
  stochastic.keep_residual = true;
  validate(stochastic);
  stochastic.first_order.update = "stochastic";
  EXPECT_THROW(validate(stochastic), Error);
}

TEST(BadamPartition, TheRuleForTurns) {
  EXPECT_EQ(SwitchEvery::parse("auto").steps(1000, 16, 30), 50);
  EXPECT_EQ(SwitchEvery::parse("auto").steps(38400, 16, 30), 80);
  EXPECT_EQ(SwitchEvery::parse("auto").steps(1'000'000, 16, 30), 100);
  EXPECT_EQ(SwitchEvery::parse("7").steps(1000, 16, 30), 7);
}

}  // namespace
}  // namespace frugal
