package main

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestPercentilesAreRightToTwoPercent(t *testing.T) {
	for name, c := range map[string]struct {
		durations []time.Duration
		p         float64
		want      time.Duration
	}{
		"of nothing":              {nil, 0.5, 0},
		"of one":                  {[]time.Duration{3 * time.Millisecond}, 0.99, 3 * time.Millisecond},
		"the middle of three":     {[]time.Duration{time.Second, time.Millisecond, time.Minute}, 0.5, time.Second},
		"nearly the last of many": {append(make([]time.Duration, 98), time.Second, time.Minute), 0.99, time.Second},
		"below the first bound":   {[]time.Duration{0, -1, time.Microsecond}, 0.5, histogramUnit},
		"of an hour":              {[]time.Duration{time.Hour}, 0.5, time.Hour},
	} {
		t.Run(name, func(t *testing.T) {
			var h histogram
			for _, d := range c.durations {
				h.add(d)
			}
			require.InEpsilon(t, 1+float64(c.want), 1+float64(h.percentile(c.p)), 0.02)
		})
	}
}

func TestADurationBeyondTheLastBucketIsCountedAll(t *testing.T) {
	var h histogram
	h.add(1000 * time.Hour)
	require.Equal(t, 1, h.total)
	require.Greater(t, h.percentile(0.5), time.Hour)
}
