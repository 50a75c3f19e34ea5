#include "frugal/verbs/torch/write_model.h"

#include "frugal/base/atomic_file.h"
#include "frugal/base/interrupt.h"
#include "frugal/base/progress.h"

namespace frugal {

namespace fs = std::filesystem;

void write_model(const ModelSource& like, const RowReader& rows, const std::string& dtype, const fs::path& out,
                 const std::map<std::string, std::string>& beside) {
  Progress writing(like.tensors().size(), "tensors");
  const ExportProgress told = [&](std::size_t done, std::size_t) {
    throw_if_interrupted();
    like.release(done - 1);  // pages of the file that were read do not count against a budget
    writing.update(done);
  };
  if (out.extension() == ".gguf")
    export_gguf(like, rows, dtype, out, told);
  else
    export_hf_folder(like, rows, dtype, out, told, beside);
}

void write_model_of_run(const fs::path& run, const ModelSource& like, const RowReader& rows, const std::string& dtype,
                        const fs::path& out, const std::map<std::string, std::string>& beside) {
  const fs::path mark = run / (out.filename().string() + ".writing");
  const bool is_there = fs::exists(out) && !(fs::is_directory(out) && fs::is_empty(out));
  if (is_there && fs::exists(mark)) return;
  if (!is_there) write_file(mark, "");
  write_model(like, rows, dtype, out, beside);
}

}  // namespace frugal
