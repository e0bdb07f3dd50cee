#include "libpeer/transfer/staging_share.h"

#include <utility>

namespace peer::transfer {

StagingShare::StagingShare(const DownloadContext& context, const DownloadTerms& terms,
                           std::shared_ptr<const protocol::ManifestDocument> document,
                           std::shared_ptr<staging::Staging> staging)
    : context_(context), terms_(terms) {
  if (context_.partial != nullptr) {
    auto offered = std::make_shared<library::OfferedGame>();
    offered->version = terms_.version;
    offered->document = std::move(document);
    auto partial = std::make_shared<PartialGame>();
    partial->game = terms_.game;
    partial->version = std::move(offered);
    partial->staging = staging;
    context_.partial->put(std::move(partial));
  }
  if (context_.holdings != nullptr) context_.holdings->holdings_begin(terms_.game, terms_.version, staging->have());
}

StagingShare::~StagingShare() {
  if (context_.holdings != nullptr) context_.holdings->holdings_end(terms_.game);
  if (context_.partial != nullptr) context_.partial->remove(terms_.game);
}

}  // namespace peer::transfer
