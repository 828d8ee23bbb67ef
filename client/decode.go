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
	defer s.releaseAll()
	var (
		scratch = &s.row
		free    slabs
	)
	for before := len(data); d.More(); {
		if err := d.Next(scratch); err != nil {
			return nil, err
		}
		// Most rows of a table are alike: make room for some dozens like this one, if the
		// rest of the data can hold as many.
		const most = 40
		left, size := d.Left(), before-d.Left()
		row := free.take(len(scratch.PrimaryKey), len(scratch.Columns), min(1+left/size, most))
		before = left
		if err := t.fill(row, scratch); err != nil {
			return nil, fmt.Errorf("row %d: %w", len(rows)+1, err)
		}
		rows = append(rows, row)
	}
	return rows, nil
}

// fill copies a row to its public form.
func (t text) fill(row *Row, from *pb.Row) error {
	if from.Deleted || from.Extension != "" {
		return errStreamRecord
	}
	for i := range from.PrimaryKey {
		c := &row.PrimaryKey[i]
		if err := t.getCell(&c.Name, &c.Value, &from.PrimaryKey[i]); err != nil {
			return err
		}
	}
	for i := range from.Columns {
		c, cell := &row.Columns[i], &from.Columns[i]
		if err := t.getCell(&c.Name, &c.Value, cell); err != nil {
			return err
		}
		if cell.HasTimestamp {
			c.Timestamp = time.UnixMilli(cell.Timestamp)
		}
	}
	return nil
}

// getCell sets a column's name and value as the program wants them.
func (t text) getCell(name *string, v *Value, c *pb.Cell) (err error) {
	switch {
	case c.Op != pb.Put:
		return errStreamRecord
	case c.Absent || c.Value.Kind() == pb.Null:
		return fmt.Errorf("it has a column without a value: %q", c.Name)
	}
	*name, v.v = c.Name, c.Value
	if t.encoding == nil {
		return nil
	}
	if *name, err = t.in(c.Name); err != nil {
		return err
	}
	if c.Value.Kind() == pb.String {
		content, err := t.in(c.Value.Text())
		if err != nil {
			return fmt.Errorf("column %q: %w", *name, err)
		}
		*v = String(content)
	}
	return nil
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
