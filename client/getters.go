package client

import "fmt"

// A ColumnError says that a row has no such column, or one of another kind.
type ColumnError struct {
	// Column is the name that was asked for.
	Column string
	// Want is the kind that was asked for, and Got the column's; KindNone: the
	// row has no such column.
	Want, Got Kind
}

// Error says which.
func (e *ColumnError) Error() string {
	if e.Got == KindNone {
		return fmt.Sprintf("client: the row has no column %q; does the row exist, and was the column among those to get?", e.Column)
	}
	return fmt.Sprintf("client: column %q is of kind %s, not %s; Row.Get returns any", e.Column, e.Got, e.Want)
}

// Missing reports whether the row has no such column.
func (e *ColumnError) Missing() bool { return e.Got == KindNone }

// Int returns the newest version of an integer column, attribute or primary
// key. The error is a [*ColumnError].
func (r *Row) Int(name string) (int64, error) {
	v, err := r.want(name, KindInt)
	return v.v.Int(), err
}

// Float returns the newest version of a float column. The error is a
// [*ColumnError].
func (r *Row) Float(name string) (float64, error) {
	v, err := r.want(name, KindFloat)
	return v.v.Double(), err
}

// Bool returns the newest version of a bool column. The error is a
// [*ColumnError].
func (r *Row) Bool(name string) (bool, error) {
	v, err := r.want(name, KindBool)
	return v.v.Bool(), err
}

// Text returns the newest version of a string column, attribute or primary key.
// The error is a [*ColumnError].
func (r *Row) Text(name string) (string, error) {
	v, err := r.want(name, KindString)
	return v.v.Text(), err
}

// Bytes returns a copy of the newest version of a bytes column, attribute or
// primary key. The error is a [*ColumnError].
func (r *Row) Bytes(name string) ([]byte, error) {
	v, err := r.want(name, KindBytes)
	if err != nil {
		return nil, err
	}
	return []byte(v.v.Text()), nil
}

// want returns a column's value if it is of that kind, else the zero Value.
func (r *Row) want(name string, kind Kind) (Value, error) {
	v, _ := r.Get(name)
	if got := v.Kind(); got != kind {
		return Value{}, &ColumnError{Column: name, Want: kind, Got: got}
	}
	return v, nil
}
