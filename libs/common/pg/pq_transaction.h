#pragma once
// A transaction on a lent session. Inside this folder only.

#include "common/pg/pq_pool.h"

namespace calbridge::pg {

class pq_transaction final : public transaction {
public:
    pq_transaction(std::shared_ptr<pq_pool> pool, std::unique_ptr<pq_connection> on, tenant_id tenant);
    ~pq_transaction() override;

    task<result<rows>> query(statement const& what, params with) override;
    task<result<std::vector<rows>>> batch(std::vector<step> steps) override;
    task<result<std::vector<rows>>> batch_and_commit(std::vector<step> steps) override;
    task<result<void>> commit() override;

private:
    task<result<std::vector<rows>>> run(std::vector<step> steps, bool with_commit);

    std::shared_ptr<pq_pool> pool_;
    std::unique_ptr<pq_connection> on_;
    tenant_id tenant_;  // empty: none
    bool begun_{false};
    bool ended_{false};
    std::optional<error> failed_;
};

}  // namespace calbridge::pg
