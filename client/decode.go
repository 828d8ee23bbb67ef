package client

import (
	"errors"
	"fmt"
	"time"

	pb "github.com/otsauth/otsauth/internal/plainbuffer"
)

// decodeOptional decodes the row of an answer, which may have none.
func (t text) decodeOptional(data string) (*Row, error) {
	if len(data) == 0 {
		return nil, nil
	}
	var one [1]*Row // an allocation less
	rows, err := t.appendRows(one[:0], data)
	if err != nil {
		return nil, err
	}
	if len(rows) != 1 {
		return nil, fmt.Errorf("it has %d rows, not one", len(rows))
	}
	return rows[0], nil
}

// appendRows decodes the rows of an answer and appends them to rows. They share data
// and a few blocks of memory, which live as long as any of them does.
func (t text) appendRows(rows []*Row, data string) ([]*Row, error) {
	if len(data) == 0 {
		return rows, nil
	}
	d, err := pb.NewDecoder(data)
	if err != nil {
		return nil, err
	}
	s := newWritten() // a request's memory serves a row that is read as well
	defer s.release()
	var (
		scratch = &s.row
		free    slabs
	)
	for d.More() {
		if err := d.Next(scratch); err != nil {
			return nil, err
		}
		// Make room for as many rows as the rest of the data can hold, if they are
		// like those so far, and for as many as those at the most: they may not be.
		done := len(rows) + 1
		room := min(1+d.Left()*done/(len(data)-d.Left()), max(16, done))
		row := free.take(len(scratch.PrimaryKey), len(scratch.Columns), room)
		if err := t.fill(row, scratch); err != nil {
			return nil, fmt.Errorf("row %d: %w", done, err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// fill copies a row to its public form.
func (t text) fill(row *Row, from *pb.Row) (err error) {
	if from.Deleted || from.Extension != "" {
		return errStreamRecord
	}
	for i := range from.PrimaryKey {
		c := &row.PrimaryKey[i]
		if c.Name, c.Value, err = t.decodeCell(&from.PrimaryKey[i]); err != nil {
			return err
		}
	}
	for i := range from.Columns {
		c := &row.Columns[i]
		if c.Name, c.Value, err = t.decodeCell(&from.Columns[i]); err != nil {
			return err
		}
		if from.Columns[i].HasTimestamp {
			c.Timestamp = time.UnixMilli(from.Columns[i].Timestamp)
		}
	}
	return nil
}

// decodeCell returns a cell's name and value as the program wants them.
func (t text) decodeCell(c *pb.Cell) (name string, v Value, err error) {
	switch {
	case c.Op != pb.Put:
		return "", Value{}, errStreamRecord
	case c.Absent || c.Value.Kind() == pb.Null:
		return "", Value{}, fmt.Errorf("it has a column without a value: %q", c.Name)
	case t.encoding == nil:
		return c.Name, Value{c.Value}, nil
	}
	if name, err = t.in(c.Name); err != nil {
		return "", Value{}, err
	}
	if c.Value.Kind() != pb.String {
		return name, Value{c.Value}, nil
	}
	content, err := t.in(c.Value.Text())
	if err != nil {
		return "", Value{}, fmt.Errorf("column %q: %w", name, err)
	}
	return name, String(content), nil
}

var errStreamRecord = errors.New("it has a row with a mark of a stream record")

// slabs are blocks of memory for rows.
type slabs struct {
	rows    []Row
	keys    []KeyColumn
	columns []Column
}

// take returns a row with room for so many cells. If a block is used up the next
// has room for count rows like it.
func (s *slabs) take(keys, columns, count int) *Row {
	if len(s.rows) == 0 {
		s.rows = make([]Row, count)
	}
	if len(s.keys) < keys {
		s.keys = make([]KeyColumn, keys*count)
	}
	if len(s.columns) < columns {
		s.columns = make([]Column, columns*count)
	}
	row := &s.rows[0]
	row.PrimaryKey, row.Columns = PrimaryKey(s.keys[:keys:keys]), s.columns[:columns:columns]
	s.rows, s.keys, s.columns = s.rows[1:], s.keys[keys:], s.columns[columns:]
	return row
}
