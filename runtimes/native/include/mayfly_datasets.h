/* mayfly_datasets.h: the datasets that the configuration lists for a function (`datasets` in mayfly.toml), in
 * memory that all its instances share. Included by mayfly.h.
 *
 *   std::span<const std::byte> log = mayfly::dataset("access-log");                  C++20
 *   for (const auto& file : mayfly::dataset_files("access-log"))
 *     scan(log.subspan(file.offset, file.size));
 *
 *   mayfly_text log = mayfly_dataset("access-log");                                  C
 *
 * They are mapped before anything of the function runs; from MAYFLY_INIT on they can be asked for. Nothing is
 * loaded then, and nothing copied. They are read only (a write is a SIGSEGV), stay where they are, and are
 * the same for as long as the process lives, and in every fork of it: pointers into them that init has made
 * hold in all instances. Any thread may read them, and call these functions.
 */
#ifndef MAYFLY_DATASETS_H
#define MAYFLY_DATASETS_H

#include "mayfly.h"

/* One of the files that a dataset was made of: its `size` bytes, from `offset` on. */
typedef struct mayfly_dataset_file {
  mayfly_text name;
  uint64_t offset;
  uint64_t size;
} mayfly_dataset_file;

/* A dataset; data is NULL if the function lists none of this name, and only then. There is no 0 at its end.
 */
static inline mayfly_text mayfly_dataset(const char* name) {
  return mayfly_host_->dataset(name, strlen(name));
}
/* Its file number `index`, from 0; returns 0 if there are not so many. */
static inline int mayfly_dataset_file_at(const char* name, size_t index, mayfly_dataset_file* file) {
  return mayfly_host_->dataset_file(name, strlen(name), index, file);
}

#if defined(__cplusplus) && __cplusplus >= 202002L

namespace mayfly {

/// A dataset; empty if the function lists none of this name, or if there is nothing in it.
[[nodiscard]] inline std::span<const std::byte> dataset(std::string_view name) {
  const mayfly_text bytes = mayfly_host_->dataset(name.data(), name.size());
  return {reinterpret_cast<const std::byte*>(bytes.data), bytes.size};
}

/// One of the files that a dataset was made of: its `size` bytes, from `offset` on.
struct DatasetFile {
  std::string_view name;
  std::size_t offset;
  std::size_t size;
};

/// The files of a dataset, in their order; none if the function lists none of this name.
[[nodiscard]] inline std::vector<DatasetFile> dataset_files(std::string_view name) {
  std::vector<DatasetFile> all;
  mayfly_dataset_file file;
  while (mayfly_host_->dataset_file(name.data(), name.size(), all.size(), &file) != 0)
    all.push_back({{file.name.data, file.name.size}, file.offset, file.size});
  return all;
}

}  // namespace mayfly

#endif /* C++20 */
#endif /* MAYFLY_DATASETS_H */
