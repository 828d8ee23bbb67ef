package main

import (
	"math"
	"time"
)

const (
	histogramUnit   = 10 * time.Microsecond // the first bucket, and what percentiles are rounded to
	histogramGrowth = 1.02                  // a bucket's upper bound over the one before
	histogramSize   = 1000                  // up to an hour
)

// A histogram counts durations in buckets of 2 percent, so that a demo of days takes
// no more memory than one of seconds.
type histogram struct {
	counts [histogramSize]int
	total  int
}

func (h *histogram) add(d time.Duration) {
	bucket := 0
	if d > histogramUnit {
		bucket = int(math.Ceil(math.Log(float64(d)/float64(histogramUnit)) / math.Log(histogramGrowth)))
	}
	h.counts[min(bucket, histogramSize-1)]++
	h.total++
}

// percentile returns the upper bound of the bucket that the quantile p is in; 0 if
// nothing was counted.
func (h *histogram) percentile(p float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := int(p * float64(h.total-1)) // of the sorted durations, from 0
	bucket := 0
	for seen := h.counts[0]; seen <= rank; seen += h.counts[bucket] {
		bucket++
	}
	bound := float64(histogramUnit) * math.Pow(histogramGrowth, float64(bucket))
	return time.Duration(bound).Round(histogramUnit)
}
