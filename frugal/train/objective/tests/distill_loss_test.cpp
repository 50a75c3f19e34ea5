// The loss of a model that learns from another against its formula, its gradient against differences of the loss, and
// the file of what a teacher said.
#include "frugal/train/objective/distill_loss.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>

#include "frugal/base/atomic_file.h"
#include "frugal/base/error.h"
#include "frugal/train/objective/tests/all_gradients.h"
#include "frugal/train/objective/tests/small_tuning.h"
#include "frugal/train/run/hashed_file.h"

namespace frugal {
namespace {

namespace fs = std::filesystem;

std::vector<double> log_softmax(const std::vector<double>& logits) {
  double sum = 0;
  for (const double x : logits) sum += std::exp(x);
  std::vector<double> log_p;
  for (const double x : logits) log_p.push_back(x - std::log(sum));
  return log_p;
}

// Teacher's words 1, 4 and 6 of 8.
struct Example {
  std::vector<double> logits = {0.3, -1, 0.8, 0.1, 2, -0.5, 0.9, -0.2};
  const std::vector<std::size_t> words = {4, 6, 1};
  const std::vector<float> teacher = {std::log(0.5f), std::log(0.2f), std::log(0.1f)};
  double divergence_of(std::vector<double>& weights) const {
    const std::vector<double> log_p = log_softmax(logits);
    std::vector<double> model;
    for (const std::size_t word : words) model.push_back(log_p[word]);
    weights.resize(words.size());
    return divergence(teacher, model, weights);
  }
};

TEST(Divergence, IsThatOfTheWordsAndTheRest) {
  Example e;
  std::vector<double> weights;
  const std::vector<double> log_p = log_softmax(e.logits);
  const double q = 1 - std::exp(log_p[4]) - std::exp(log_p[6]) - std::exp(log_p[1]);
  const double expected = 0.5 * (std::log(0.5) - log_p[4]) + 0.2 * (std::log(0.2) - log_p[6]) +
                          0.1 * (std::log(0.1) - log_p[1]) + 0.2 * (std::log(0.2) - std::log(q));
  EXPECT_NEAR(e.divergence_of(weights), expected, 1e-7);
}

// sharp: the model gives all other words less than half of what the teacher gives them.
class DivergenceGradient : public testing::TestWithParam<bool> {};
INSTANTIATE_TEST_SUITE_P(Models, DivergenceGradient, testing::Bool(),
                         [](const auto& info) { return info.param ? "sharp" : "flat"; });

TEST_P(DivergenceGradient, IsWhatItsWeightsSay) {
  Example e;
  if (GetParam()) e.logits = {-3, 2, -4, -3.5, 3, -2.5, 2.2, -5};
  std::vector<double> weights, other;
  e.divergence_of(weights);
  const std::vector<double> log_p = log_softmax(e.logits);
  double all = 0;
  for (const double w : weights) all += w;
  for (std::size_t j = 0; j < e.logits.size(); ++j) {
    double expected = std::exp(log_p[j]) * all;  // of -sum w log p by logit j
    for (std::size_t i = 0; i < e.words.size(); ++i) expected -= e.words[i] == j ? weights[i] : 0;
    const double h = 1e-5, before = e.logits[j];
    e.logits[j] = before + h;
    const double up = e.divergence_of(other);
    e.logits[j] = before - h;
    const double down = e.divergence_of(other);
    e.logits[j] = before;
    EXPECT_NEAR((up - down) / (2 * h), expected, 1e-7) << j;
  }
}

struct Pupil : SmallTuning {
  explicit Pupil(int threads = 2, const std::vector<int>& lengths = {6, 9, 14})
      : SmallTuning(golden_model(), lengths, threads, WeightType::f32), view(store) {}
  void disturb() {
    PhiloxSequence random(8, Stream::initial);
    for (std::size_t id = 0; id < store.size(); ++id) {
      auto* w = reinterpret_cast<float*>(store.bytes(id).data());
      for (std::int64_t i = 0; i < store.elements(id); ++i) w[i] += 0.05f * static_cast<float>(random.uniform() - 0.5);
    }
  }
  // Of the token after each target's row, from all logits.
  std::vector<std::vector<double>> log_softmaxes(std::size_t example) {
    PackedBatch batch;
    batch.append(data[example].tokens);
    const auto pass = decoder.forward(view, batch);
    std::vector<std::vector<double>> all;
    for (std::int64_t row = 0; row + 1 < batch.size(); ++row) {
      const std::vector<float> logits = pass->logits(row);
      all.push_back(log_softmax({logits.begin(), logits.end()}));
    }
    return all;
  }
  BaseView view;
};

TEST(LikeliestWords, AreThoseOfTheLogits) {
  Pupil pupil;
  PackedBatch batch;
  batch.append(pupil.data[2].tokens);
  const auto pass = pupil.decoder.forward(pupil.view, batch);
  const std::vector<std::int64_t> rows = {5, 0, 5, 12};
  const LikelyWords found = pass->likeliest_words(rows, 7);
  ASSERT_EQ(found.words.size(), 28u);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::vector<float> logits = pass->logits(rows[i]);
    const std::vector<double> log_p = log_softmax({logits.begin(), logits.end()});
    std::vector<std::int32_t> order(log_p.size());
    std::iota(order.begin(), order.end(), 0);
    std::stable_sort(order.begin(), order.end(), [&](auto a, auto b) {
      return log_p[static_cast<std::size_t>(a)] > log_p[static_cast<std::size_t>(b)];
    });
    for (std::size_t j = 0; j < 7; ++j) {
      EXPECT_EQ(found.words[i * 7 + j], order[j]) << i << " " << j;
      EXPECT_NEAR(static_cast<double>(found.log_p[i * 7 + j]), log_p[static_cast<std::size_t>(order[j])], 1e-5);
    }
  }
  EXPECT_THROW(pass->likeliest_words(rows, 0), Error);
  EXPECT_THROW(pass->likeliest_words(rows, 62), Error);
}

DistillConfig weights(double ce, double kl, double hidden, std::int64_t words) {
  DistillConfig config;
  config.ce_weight = ce, config.kl_weight = kl, config.hidden_weight = hidden, config.teacher_words = words;
  return config;
}

TEST(DistillLoss, IsItsFormulaOnAllLogits) {
  Pupil teacher, pupil;
  pupil.disturb();
  const DistillConfig config = weights(0.7, 2, 0, 61);  // every word of the vocabulary
  LiveTeacher live(teacher.decoder, teacher.store, config.teacher_words, false);
  for (const std::int64_t together : {std::int64_t{1}, kPackedTokens}) {
    DistillLoss loss(pupil.decoder, pupil.data, config, together);
    loss.set_teacher(live);
    double expected = 0, ce = 0, kl = 0;
    for (std::size_t example = 0; example < pupil.data.size(); ++example) {
      const auto ours = pupil.log_softmaxes(example), theirs = teacher.log_softmaxes(example);
      for (std::size_t row = 0; row < ours.size(); ++row) {
        ce -= ours[row][static_cast<std::size_t>(pupil.data[example].tokens[row + 1])];
        for (std::size_t v = 0; v < ours[row].size(); ++v)
          kl += std::exp(theirs[row][v]) * (theirs[row][v] - ours[row][v]);
      }
    }
    expected = 0.7 * ce + 2 * kl;
    EXPECT_NEAR(loss.loss_sums(pupil.view, pupil.all)[0], expected, 1e-3);
    const Json details = loss.take_details();
    EXPECT_NEAR(details["kl"].get<double>() * loss.terms(pupil.all), kl, 1e-3);
    EXPECT_NEAR(details["ce"].get<double>() * loss.terms(pupil.all), ce, 1e-3);
    EXPECT_EQ(loss.take_details(), Json::object()) << "they are taken once";
  }
}

TEST(DistillLoss, OfOneselfIsTheEntropyAlone) {
  Pupil pupil;
  LiveTeacher live(pupil.decoder, pupil.store, 5, true);
  DistillLoss loss(pupil.decoder, pupil.data, weights(0, 1, 1, 5));
  loss.set_teacher(live);
  AllGradients gradients(pupil.store);
  // Hidden states of the teacher are bf16: a relative distance of 2^-9, squared.
  EXPECT_NEAR(loss.loss_and_gradients(pupil.view, pupil.all, 1, false, gradients) / loss.terms(pupil.all), 0, 1e-5);
}

TEST(DistillLoss, ItsGradientIsThatOfDifferences) {
  Pupil teacher;
  LiveTeacher live(teacher.decoder, teacher.store, 6, true);
  for (const bool keeps : {false, true}) {
    Pupil pupil;
    pupil.disturb();
    DistillLoss loss(pupil.decoder, pupil.data, weights(0.5, 1.5, 2, 6));
    loss.set_teacher(live);
    AllGradients gradients(pupil.store);
    loss.loss_and_gradients(pupil.view, pupil.all, 1, keeps, gradients);
    PhiloxSequence random(3, Stream::initial);
    for (std::size_t id = 0; id < pupil.store.size(); ++id) {
      auto* w = reinterpret_cast<float*>(pupil.store.bytes(id).data());
      const auto n = static_cast<std::size_t>(pupil.store.elements(id));
      const std::vector<float> start(w, w + n);
      std::vector<float> direction(n);
      double expected = 0;
      for (std::size_t i = 0; i < n; ++i) {
        direction[i] = static_cast<float>(random.uniform() - 0.5);
        expected += static_cast<double>(direction[i]) * static_cast<double>(gradients.sums[id][i]);
      }
      const auto loss_at = [&](double h) {
        for (std::size_t i = 0; i < n; ++i) w[i] = start[i] + static_cast<float>(h) * direction[i];
        AllGradients unused(pupil.store);
        const double found = loss.loss_and_gradients(pupil.view, pupil.all, 1, keeps, unused);
        std::copy(start.begin(), start.end(), w);
        return found;
      };
      const double h = 2e-3, slope = (loss_at(h) - loss_at(-h)) / (2 * h);
      EXPECT_NEAR(slope, expected, 2e-2 * std::max(1.0, std::abs(expected))) << pupil.store.spec(id).name;
    }
  }
}

TEST(DistillLoss, WithoutABackwardRefusesHiddenStates) {
  Pupil pupil;
  LiveTeacher live(pupil.decoder, pupil.store, 5, true);
  DistillLoss loss(pupil.decoder, pupil.data, weights(1, 1, 1, 5));
  loss.set_teacher(live);
  EXPECT_THROW(loss.loss_sums(pupil.view, pupil.all), Error);
}

class TeacherFile : public testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "frugal_teacher_test_XXXXXX").string();
    ASSERT_NE(::mkdtemp(name.data()), nullptr);
    folder_ = name;
    LiveTeacher live(pupil_.decoder, pupil_.store, 6, false);
    std::size_t last = 0;
    store_teacher(path(), "name", live, 6, pupil_.data, {true, false, true}, [&](std::size_t done) { last = done; });
    EXPECT_EQ(last, 2u);
  }
  void TearDown() override { fs::remove_all(folder_); }
  fs::path path() const { return folder_ / "teacher.bin"; }

  Pupil pupil_;
  fs::path folder_;
};

TEST_F(TeacherFile, SaysWhatTheTeacherSaid) {
  StoredTeacher stored(path());
  EXPECT_EQ(stored.teacher(), "name");
  EXPECT_EQ(stored.k(), 6);
  EXPECT_EQ(stored.examples(), 3u);
  EXPECT_EQ(stored.targets(1), 0);
  LiveTeacher live(pupil_.decoder, pupil_.store, 6, false);
  for (const std::uint32_t example : {0u, 2u}) {
    PackedBatch batch;
    batch.append(pupil_.data[example].tokens);
    std::vector<std::int64_t> rows;
    for (std::int64_t row = 0; row + 1 < batch.size(); ++row) rows.push_back(row);
    const LikelyWords expected = live.words({&example, 1}, batch, rows),
                      found = stored.words({&example, 1}, batch, rows);
    EXPECT_EQ(found.words, expected.words);
    for (std::size_t i = 0; i < found.log_p.size(); ++i)
      EXPECT_NEAR(found.log_p[i], expected.log_p[i], std::abs(expected.log_p[i]) * 0x1p-11f);
  }
  const std::uint32_t missing = 1;
  const std::vector<std::int64_t> rows = {0, 1};
  EXPECT_THROW(stored.words({&missing, 1}, {}, rows), Error);
}

TEST_F(TeacherFile, IsRefusedWhereAnythingInItIsDamaged) {
  const std::string whole = read_file(path());
  const fs::path damaged = folder_ / "damaged.bin";
  const auto refused = [&](const std::string& text) {
    write_file(damaged, text);
    try {
      const StoredTeacher opened(damaged);
      return false;
    } catch (const Error& error) {
      return error.code() == Exit::input;
    }
  };
  for (std::size_t at = 0; at < whole.size(); at += 7) {
    std::string text = whole;
    text[at] = static_cast<char>(text[at] ^ 4);
    EXPECT_TRUE(refused(text)) << at;
    EXPECT_TRUE(refused(whole.substr(0, at + 1))) << at;
  }
  EXPECT_TRUE(refused(whole + "x"));
}

// Who makes such a file can also write its checksum: sizes are held against what is there.
TEST_F(TeacherFile, AHeaderThatLiesIsRefusedWhateverItsChecksum) {
  const auto opens = [&](std::uint32_t size, const std::string& json, const std::string& rows) {
    HashedFile file(folder_ / "lies.bin");
    const std::uint32_t numbers[2] = {1, size};
    file.write("FRGLTCH", 8);
    file.write(numbers, sizeof numbers);
    file.write(json.data(), json.size());
    file.write(rows.data(), rows.size());
    file.commit();
    try {
      const StoredTeacher opened(folder_ / "lies.bin");
      return true;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), Exit::input);
      return false;
    }
  };
  const auto head = [](const std::string& k, const std::string& first) {
    return R"({"teacher":"name","words":)" + k + R"(,"first":)" + first + "}";
  };
  const auto size_of = [](const std::string& json) { return static_cast<std::uint32_t>(json.size()); };
  const std::string plain = head("2", "[0,1,3]"), rows(36, 'x');
  EXPECT_TRUE(opens(size_of(plain), plain, rows));
  // A header that is longer than the file: the rest wraps to as many rows as make the sizes agree again.
  for (std::int64_t d = 1; d < 200; ++d) {
    const std::string wrapped = head("1", "[0," + std::to_string((~std::uint64_t{0} - d + 1) / 6) + "]");
    EXPECT_FALSE(opens(size_of(wrapped) + static_cast<std::uint32_t>(d), wrapped, ""));
  }
  for (const std::string k :
       {"0", "-1", "3", "2147483648", "3074457345618258603", "9223372036854775807", "1e300", "null"})
    EXPECT_FALSE(opens(size_of(head(k, "[0,1,3]")), head(k, "[0,1,3]"), rows)) << k;
  for (const std::string first : {"[]", "[0,1,4]", "[1,3]", "[0,4,3]", "[0,-1,3]", "[-3,0]", "3", "[[0]]", "[0,1e99]"})
    EXPECT_FALSE(opens(size_of(head("2", first)), head("2", first), rows)) << first;
  EXPECT_FALSE(opens(size_of(plain), plain, rows + "x"));
  EXPECT_FALSE(opens(size_of(plain), plain, rows.substr(1)));
  EXPECT_FALSE(opens(0, plain, rows));
  EXPECT_FALSE(opens(~std::uint32_t{0}, plain, rows));
  const std::string deep(100000, '[');
  EXPECT_FALSE(opens(size_of(deep), deep, rows));
}

}  // namespace
}  // namespace frugal
