// StagingShare: while it exists, the staged chunks of a download are served to other peers and announced as holdings.
// Loop: control.
#pragma once

#include <memory>

#include "libpeer/staging/staging.h"
#include "libpeer/transfer/download_context.h"

namespace peer::transfer {

class StagingShare {
 public:
  /// `context` and `terms` must outlive it.
  StagingShare(const DownloadContext& context, const DownloadTerms& terms,
               std::shared_ptr<const protocol::ManifestDocument> document, std::shared_ptr<staging::Staging> staging);
  StagingShare(const StagingShare&) = delete;
  StagingShare& operator=(const StagingShare&) = delete;
  ~StagingShare();

 private:
  const DownloadContext& context_;
  const DownloadTerms& terms_;
};

}  // namespace peer::transfer
