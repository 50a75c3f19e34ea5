#include "frugal/verbs/torch/write_model.h"

#include "frugal/base/interrupt.h"
#include "frugal/base/progress.h"

namespace frugal {

void write_model(const ModelSource& like, const RowReader& rows, const std::string& dtype,
                 const std::filesystem::path& out) {
  Progress writing(like.tensors().size(), "tensors");
  const ExportProgress told = [&](std::size_t done, std::size_t) {
    throw_if_interrupted();
    like.release(done - 1);  // pages of the file that were read do not count against a budget
    writing.update(done);
  };
  if (out.extension() == ".gguf")
    export_gguf(like, rows, dtype, out, told);
  else
    export_hf_folder(like, rows, dtype, out, told);
}

}  // namespace frugal
