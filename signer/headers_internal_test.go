package signer

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestAppendDateIsAppendFormat(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		at := time.Unix(r.Int64N(4e9), r.Int64N(1e9)).UTC()
		got := string(appendDate(nil, at))
		require.Equal(t, at.Format(dateLayout), got)
		require.True(t, sameDay(at.Format(signDateLayout), got))
	}
}

func TestSameDay(t *testing.T) {
	for name, c := range map[string]struct {
		day, date string
		want      bool
	}{
		"that day":        {"20261123", "2026-11-23T00:00:00.000Z", true},
		"the next day":    {"20261124", "2026-11-23T00:00:00.000Z", false},
		"the next month":  {"20261223", "2026-11-23T00:00:00.000Z", false},
		"the next year":   {"20271123", "2026-11-23T00:00:00.000Z", false},
		"no day":          {"", "2026-11-23T00:00:00.000Z", false},
		"no date":         {"20261123", "", false},
		"too long a day":  {"202611231", "2026-11-23T00:00:00.000Z", false},
		"neither of them": {"", "", false},
	} {
		t.Run(name, func(t *testing.T) { require.Equal(t, c.want, sameDay(c.day, c.date)) })
	}
}
