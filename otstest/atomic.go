package otstest

import (
	"fmt"
	"net/http"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/otsauth/otsauth/internal/otspb"
	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// applyAtomic does all changes of a batch, or none of them, and then each row has
// the error of the first that failed. That all rows fail of two partition keys is
// in the official SDKs' tests (Java: OTSAPIBehaviorTest,
// testAtomicBatchWriteRowWithDiffPartKey; Go: api_test.go,
// TestAtomicBatchWriteRowWithDiffPartitionKey); for other errors, and for several
// tables, it is assumed.
func (s *Server) applyAtomic(batches []*tableWrite) *otspb.BatchWriteRowResponse {
	before := make([][]*row, len(batches))
	for i, w := range batches {
		before[i] = slices.Clone(w.table.rows)
	}
	answer := s.applyAll(batches)
	failed := firstError(answer)
	if refused := checkScope(batches); refused != nil {
		failed = refused.encoded()
	}
	if failed == nil {
		return answer
	}
	for i, w := range batches {
		w.table.rows = before[i]
	}
	for _, one := range answer.GetTables() {
		for i := range one.GetRows() {
			one.Rows[i] = &otspb.RowInBatchWriteRowResponse{IsOk: proto.Bool(false), Error: failed}
		}
	}
	return answer
}

// checkScope checks that all rows of a batch have one partition key, the first
// column of the primary key.
func checkScope(batches []*tableWrite) *refusal {
	scope := partitionKey(batches[0].changes[0])
	for _, w := range batches {
		for _, c := range w.changes {
			if key := partitionKey(c); key.Compare(scope) != 0 {
				message := fmt.Sprintf("Data out of scope of atomic. Atomic PartKey:%s. Data PartKey:%s", plainText(scope), plainText(key))
				return refuse(http.StatusBadRequest, "OTSDataOutOfRange", message, "%s", message)
			}
		}
	}
	return nil
}

// plainText is a key's value as the message has it, a text without quotes.
func plainText(v pb.Value) string {
	if v.Kind() == pb.String {
		return v.Text()
	}
	return valueText(v)
}

func partitionKey(c *change) pb.Value { return c.row.PrimaryKey[0].Value }

func firstError(answer *otspb.BatchWriteRowResponse) *otspb.Error {
	for _, one := range answer.GetTables() {
		for _, r := range one.GetRows() {
			if !r.GetIsOk() {
				return r.GetError()
			}
		}
	}
	return nil
}
