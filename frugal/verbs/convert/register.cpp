#include "frugal/verbs/convert/config.h"

#include <filesystem>
#include <iostream>

#include "frugal/base/bytes_below.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/log.h"
#include "frugal/base/print.h"
#include "frugal/base/progress.h"
#include "frugal/base/units.h"
#include "frugal/base/validate.h"
#include "frugal/formats/model_source.h"
#include "frugal/verbs/common/compute.h"

namespace frugal {
namespace {

// A model with what was tuned in it is what merge writes.
int convert_tuned(const ConvertConfig& c) {
  return compute("merge", {{"model", c.model},
                           {"run", c.adapter.adapter},
                           {"step", c.adapter.step},
                           {"out", c.target.out},
                           {"dtype", c.target.dtype},
                           {"json", c.output.json},
                           {"quiet", c.output.quiet}});
}

int convert(const ConvertConfig& config) {
  const auto& [out, dtype] = config.target;
  const auto source = ModelSource::open(config.model);
  catch_interrupts();
  Progress progress(source->tensors().size(), "tensors");
  const RowReader rows = [&](std::size_t index, std::int64_t begin, std::int64_t end, float* to) {
    source->read_rows(index, begin, end, to);
  };
  const ExportProgress done = [&](std::size_t written, std::size_t) {
    throw_if_interrupted();
    source->release(written - 1);
    progress.update(written);
  };
  const bool is_gguf = out.ends_with(".gguf");
  if (is_gguf)
    export_gguf(*source, rows, dtype, out, done);
  else
    export_hf_folder(*source, rows, dtype, out, done);
  const Json result = {{"out", out},
                       {"format", is_gguf ? "gguf" : "safetensors"},
                       {"dtype", dtype},
                       {"bytes", bytes_below(out)},
                       {"license", source->license()}};
  if (config.output.json) {
    print_json(result);
  } else {
    std::cout << out << ": " << dtype << ", " << format_bytes(result["bytes"].get<std::uint64_t>()) << '\n';
    say("next: frugal generate " + out + " --prompt \"Once upon a time\"");
  }
  return 0;
}

}  // namespace

void validate(const ConvertConfig& c) {
  require_model(c.model);
  require_not_input("--out", c.target.out, {{"MODEL", c.model}});
  validate(c.target);
}

namespace {

int run(const Settings& settings) {
  const auto config = from_json<ConvertConfig>(with_adapter(settings));
  validate(config);
  return config.adapter.adapter.empty() ? convert(config) : convert_tuned(config);
}

}  // namespace

void register_verbs_convert(SystemTable& table) {
  Action copy{.name = "", .summary = "a copy of the model", .fields = describe_fields<ConvertConfig>()};
  copy.run = run;
  table.add({.name = "convert",
             .summary = "write a model in another format or type",
             .group = kLanguageModels,
             .examples = {"frugal convert model.gguf --out model --dtype bf16",
                          "frugal convert model/ --out model.gguf --dtype q8_0",
                          "frugal convert model.gguf --out model-f32.gguf --dtype f32",
                          "frugal convert run --out tuned.gguf --dtype q8_0   (a run of tune, as merge writes it)"},
             .actions = {copy}});
}

}  // namespace frugal
