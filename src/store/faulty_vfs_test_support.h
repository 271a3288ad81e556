// A disk that fails, for tests of what is kept in SQLite: writes refused, and a power cut that takes with it
// everything never synced. Header only, used by tests alone. One at a time; the connection may be another
// thread's.
#pragma once

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstring>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "base/fd.h"

namespace mayfly::store {

class FaultyVfs {
 public:
  static constexpr const char* kName = "faulty";

  FaultyVfs() {
    real_ = sqlite3_vfs_find(nullptr);
    vfs_ = *real_;
    vfs_.zName = kName;
    vfs_.szOsFile = static_cast<int>(sizeof(File)) + real_->szOsFile;
    vfs_.pAppData = this;
    vfs_.xOpen = open;
    current() = this;
    sqlite3_vfs_register(&vfs_, 0);
  }
  ~FaultyVfs() {
    sqlite3_vfs_unregister(&vfs_);
    current() = nullptr;
  }
  FaultyVfs(const FaultyVfs&) = delete;
  FaultyVfs& operator=(const FaultyVfs&) = delete;

  /// From now on the next `count` writes succeed and all later ones fail (disk full). -1: none fails.
  void fail_writes_after(int count) { set(writes_left_, count); }
  void fail_syncs(bool fail) { set(fail_syncs_, fail); }
  /// Syncs succeed without doing anything: what a lying disk does.
  void ignore_syncs(bool ignore) { set(ignore_syncs_, ignore); }
  /// Takes back every write that was not synced. The connection must have been left, not closed:
  /// a close would write.
  void power_cut() {
    const std::lock_guard lock(mutex_);
    for (auto& [path, undo] : unsynced_) {
      const Fd fd(::open(path.c_str(), O_RDWR | O_CLOEXEC));
      if (!fd) continue;
      for (auto step = undo.rbegin(); step != undo.rend(); ++step) {
        (void)!::pwrite(fd.get(), step->before.data(), step->before.size(), step->offset);
        (void)!::ftruncate(fd.get(), step->size);
      }
    }
    unsynced_.clear();
  }

 private:
  struct Undo {
    off_t offset;
    std::string before;
    off_t size;  ///< of the file
  };
  /// What SQLite allocates for an open file: ours, followed by the real one's.
  struct File {
    sqlite3_file base;
    const std::string* path;
    [[nodiscard]] sqlite3_file* real() { return reinterpret_cast<sqlite3_file*>(this + 1); }
  };

  template <class T>
  void set(T& member, T value) {
    const std::lock_guard lock(mutex_);
    member = value;
  }
  static FaultyVfs*& current() {
    static FaultyVfs* vfs = nullptr;
    return vfs;
  }
  static File* file_of(sqlite3_file* file) { return reinterpret_cast<File*>(file); }
  static sqlite3_file* real_of(sqlite3_file* file) { return file_of(file)->real(); }

  static int open(sqlite3_vfs*, sqlite3_filename name, sqlite3_file* file, int flags, int* out_flags) {
    auto* ours = file_of(file);
    auto* self = current();
    const std::lock_guard lock(self->mutex_);
    const int code = self->real_->xOpen(self->real_, name, ours->real(), flags, out_flags);
    file->pMethods = nullptr;
    if (code != SQLITE_OK) return code;
    self->paths_.push_back(std::make_unique<std::string>(name != nullptr ? name : ""));
    ours->path = self->paths_.back().get();
    file->pMethods = self->methods_for(ours->real()->pMethods);
    return code;
  }

  const sqlite3_io_methods* methods_for(const sqlite3_io_methods* real) {
    auto& mine = methods_[real];
    if (mine) return mine.get();
    mine = std::make_unique<sqlite3_io_methods>();
    auto& m = *mine;
    m.iVersion = 2;  // shared memory (WAL), no memory mapping past our xWrite
    m.xClose = [](sqlite3_file* f) { return real_of(f)->pMethods->xClose(real_of(f)); };
    m.xRead = [](sqlite3_file* f, void* to, int n, sqlite3_int64 at) {
      return real_of(f)->pMethods->xRead(real_of(f), to, n, at);
    };
    m.xWrite = write;
    m.xTruncate = [](sqlite3_file* f, sqlite3_int64 n) {
      return real_of(f)->pMethods->xTruncate(real_of(f), n);
    };
    m.xSync = sync;
    m.xFileSize = [](sqlite3_file* f, sqlite3_int64* n) {
      return real_of(f)->pMethods->xFileSize(real_of(f), n);
    };
    m.xLock = [](sqlite3_file* f, int l) { return real_of(f)->pMethods->xLock(real_of(f), l); };
    m.xUnlock = [](sqlite3_file* f, int l) { return real_of(f)->pMethods->xUnlock(real_of(f), l); };
    m.xCheckReservedLock = [](sqlite3_file* f, int* out) {
      return real_of(f)->pMethods->xCheckReservedLock(real_of(f), out);
    };
    m.xFileControl = [](sqlite3_file* f, int op, void* arg) {
      return real_of(f)->pMethods->xFileControl(real_of(f), op, arg);
    };
    m.xSectorSize = [](sqlite3_file* f) { return real_of(f)->pMethods->xSectorSize(real_of(f)); };
    m.xDeviceCharacteristics = [](sqlite3_file* f) {
      return real_of(f)->pMethods->xDeviceCharacteristics(real_of(f));
    };
    m.xShmMap = [](sqlite3_file* f, int page, int size, int extend, void volatile** out) {
      return real_of(f)->pMethods->xShmMap(real_of(f), page, size, extend, out);
    };
    m.xShmLock = [](sqlite3_file* f, int at, int n, int flags) {
      return real_of(f)->pMethods->xShmLock(real_of(f), at, n, flags);
    };
    m.xShmBarrier = [](sqlite3_file* f) { real_of(f)->pMethods->xShmBarrier(real_of(f)); };
    m.xShmUnmap = [](sqlite3_file* f, int del) { return real_of(f)->pMethods->xShmUnmap(real_of(f), del); };
    return mine.get();
  }

  static int write(sqlite3_file* file, const void* data, int size, sqlite3_int64 at) {
    auto* self = current();
    const std::lock_guard lock(self->mutex_);
    if (self->writes_left_ == 0) return SQLITE_FULL;
    if (self->writes_left_ > 0) --self->writes_left_;
    const auto& path = *file_of(file)->path;
    if (!path.empty()) {
      Undo undo{static_cast<off_t>(at), std::string(static_cast<std::size_t>(size), '\0'), 0};
      const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
      const auto got = ::pread(fd.get(), undo.before.data(), undo.before.size(), undo.offset);
      undo.before.resize(static_cast<std::size_t>(got > 0 ? got : 0));
      undo.size = ::lseek(fd.get(), 0, SEEK_END);
      self->unsynced_[path].push_back(std::move(undo));
    }
    return real_of(file)->pMethods->xWrite(real_of(file), data, size, at);
  }

  static int sync(sqlite3_file* file, int flags) {
    auto* self = current();
    const std::lock_guard lock(self->mutex_);
    if (self->fail_syncs_) return SQLITE_IOERR_FSYNC;
    if (self->ignore_syncs_) return SQLITE_OK;
    self->unsynced_.erase(*file_of(file)->path);
    return real_of(file)->pMethods->xSync(real_of(file), flags);
  }

  sqlite3_vfs* real_ = nullptr;
  sqlite3_vfs vfs_{};
  std::mutex mutex_;  ///< of all below
  std::vector<std::unique_ptr<std::string>> paths_;
  std::map<const sqlite3_io_methods*, std::unique_ptr<sqlite3_io_methods>> methods_;
  std::map<std::string, std::vector<Undo>> unsynced_;
  int writes_left_ = -1;
  bool fail_syncs_ = false;
  bool ignore_syncs_ = false;
};

}  // namespace mayfly::store
