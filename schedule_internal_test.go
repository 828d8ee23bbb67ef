package otsauth

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestBackoff(t *testing.T) {
	for name, c := range map[string]struct {
		failures  int
		remaining time.Duration
		share     float64
		want      time.Duration
	}{
		"the first wait is a second":                              {1, time.Hour, 0, time.Second},
		"up to a third is taken off":                              {1, time.Hour, 0.999999, time.Second * 2 / 3},
		"waits quadruple":                                         {2, time.Hour, 0, 4 * time.Second},
		"up to a minute":                                          {9, time.Hour, 0, time.Minute},
		"also after very many failures":                           {1 << 40, time.Hour, 0, time.Minute},
		"half of what remains is the limit":                       {9, 10 * time.Second, 0, 5 * time.Second},
		"but for the first second":                                {9, time.Second, 0, time.Second},
		"with nothing valid left waits double":                    {3, 0, 0, 4 * time.Second},
		"with nothing valid left ten seconds are the limit":       {9, 0, 0, 10 * time.Second},
		"with nothing valid left the first wait is short as well": {1, -time.Hour, 0, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			require.InDelta(t, c.want, backoff(c.failures, c.remaining, c.share), float64(time.Millisecond))
		})
	}
}
