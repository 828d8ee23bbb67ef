package otstest

import (
	"net/http"

	"github.com/otsauth/otsauth/internal/otspb"
)

// condition is what a write expects of the row as it is.
type condition struct {
	expect  otspb.RowExistenceExpectation
	columns filter // nil: any
}

func decodeCondition(message *otspb.Condition) (condition, *refusal) {
	c := condition{expect: message.GetRowExistence()}
	if !isKnown(c.expect) {
		return c, invalid("Invalid row-existence expectation: %d.", c.expect)
	}
	if message.GetColumnCondition() == nil {
		return c, nil
	}
	var refused *refusal
	c.columns, refused = decodeColumnCondition(message.GetColumnCondition())
	return c, refused
}

// isNone reports whether the write does not look at the row.
func (c condition) isNone() bool {
	return c.expect == otspb.RowExistenceExpectation_IGNORE && c.columns == nil
}

// check checks the row; nil: there is none, whose columns are all missing.
func (c condition) check(existing *row) *refusal {
	switch {
	case c.expect == otspb.RowExistenceExpectation_EXPECT_EXIST && existing == nil:
		return conditionFailed("the row does not exist")
	case c.expect == otspb.RowExistenceExpectation_EXPECT_NOT_EXIST && existing != nil:
		return conditionFailed("the row exists")
	case c.columns == nil:
		return nil
	}
	var columns map[string][]version
	if existing != nil {
		columns = existing.columns
	}
	if !c.columns.passes(columns) {
		return conditionFailed("the columns are not as expected")
	}
	return nil
}

// checkAutomatic checks the condition of a change of a table that numbers its
// rows: the service looks for no row whose number it is to choose, and makes
// none whose number it has not chosen.
func (c condition) checkAutomatic(t *table, change *change) *refusal {
	numbered := countAutomatic(change.row.PrimaryKey)
	switch {
	case !t.isAutomatic():
	case numbered > 0 && change.kind == otspb.OperationType_DELETE:
		return invalid("Invalid row to delete which with pk auto increment")
	case numbered > 0 && c.expect != otspb.RowExistenceExpectation_IGNORE:
		return invalid("Invalid expect:%s when modify row with pk auto increment", c.expect)
	case numbered > 0 && c.columns != nil:
		return invalid("Can't set condition when modify row with pk auto increment")
	case numbered == 0 && change.kind != otspb.OperationType_DELETE && c.expect != otspb.RowExistenceExpectation_EXPECT_EXIST:
		return invalid("Invalid expect: %s when modify a specific row for table with pk auto increment", c.expect)
	}
	return nil
}

func conditionFailed(reason string) *refusal {
	return refuse(http.StatusForbidden, "OTSConditionCheckFail", "Condition check failed.", "%s", reason)
}
