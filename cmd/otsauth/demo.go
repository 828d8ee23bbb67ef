package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/otstest"
)

const (
	demoTable = "demo"
	demoRole  = "acs:ram::123456789012:role/demo"

	defaultTokenLifetime = 5 * time.Second
	minTokenLifetime     = 200 * time.Millisecond
	minDuration          = 3 * time.Second

	// The outage begins when this share of a token's lifetime is left, before
	// the cache would refresh it, and lasts longer than that.
	outageBegins = 0.45
	outageLasts  = 0.6
)

// demo is the command "demo".
type demo struct {
	Duration      time.Duration `default:"20s" help:"How long to send requests."`
	Workers       int           `default:"64" help:"How many goroutines send them."`
	TokenLifetime time.Duration `help:"How long a token lives. Default: 5s, or a quarter of the duration if that is less."`
}

// Validate is called by kong.
func (d *demo) Validate() error {
	switch {
	case d.Duration < minDuration:
		return fmt.Errorf("--duration must be at least %s", minDuration)
	case d.Workers < 1 || d.Workers > 10_000:
		return errors.New("--workers must be between 1 and 10000")
	case d.TokenLifetime != 0 && d.TokenLifetime < minTokenLifetime:
		return fmt.Errorf("--token-lifetime must be at least %s", minTokenLifetime)
	case d.TokenLifetime > d.Duration/4:
		return fmt.Errorf("--token-lifetime must be at most a quarter of --duration, %s: a token has to expire, and another to be revoked", d.Duration/4)
	}
	return nil
}

// Run is called by kong. Its error is that a request failed.
func (d *demo) Run(ctx context.Context, out io.Writer) error {
	if d.TokenLifetime == 0 {
		d.TokenLifetime = min(defaultTokenLifetime, d.Duration/4)
	}
	server, err := otstest.Start(&otstest.Options{TokenLifetime: d.TokenLifetime})
	if err != nil {
		return err
	}
	defer server.Close()
	return d.run(ctx, out, server, server.URL(), nil)
}

// run sends the requests to an endpoint of the server; a nil transport means sockets.
func (d *demo) run(ctx context.Context, out io.Writer, server *otstest.Server, endpoint string, transport http.RoundTripper) error {
	tally := newTally()
	role, err := otsauth.AssumeRole(server.Provider(), demoRole, &otsauth.AssumeRoleOptions{
		Endpoint: endpoint, HTTPClient: &http.Client{Transport: transport},
	})
	if err != nil {
		return err
	}
	cache := otsauth.NewCache(role, &otsauth.CacheOptions{OnRefresh: tally.refreshed})
	defer cache.Close()
	c, err := client.New(endpoint, server.Instance(), cache, &client.Options{MaxConnections: d.Workers, Transport: transport})
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.CreateTable(ctx, &client.CreateTableRequest{
		Table: demoTable, PrimaryKey: []client.KeySchema{{Name: "worker", Type: client.KeyInteger}},
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "one client, %d goroutines, %s; a token lives %s\n", d.Workers, d.Duration, d.TokenLifetime)

	ctx, cancel := context.WithTimeout(ctx, d.Duration)
	defer cancel()
	shown := startProgress(out, tally, server)
	var wg sync.WaitGroup
	for worker := range d.Workers {
		wg.Go(func() { work(ctx, c, tally, int64(worker)) })
	}
	wg.Go(func() { watchCredentials(ctx, cache, tally) })
	wg.Go(func() { d.makeTrouble(ctx, server, cache, tally) })
	wg.Wait()
	shown.stop()
	return tally.report(out, server)
}

// work writes and reads one row until ctx ends. A request that was begun is
// finished: what counts is whether it succeeds.
func work(ctx context.Context, c *client.OTSClient, tally *tally, worker int64) {
	key := client.PrimaryKey{{Name: "worker", Value: client.Int(worker)}}
	for n := int64(0); ctx.Err() == nil; n++ {
		begun := time.Now()
		_, err := c.PutRow(context.WithoutCancel(ctx), &client.PutRowRequest{
			Table: demoTable, PrimaryKey: key, Columns: []client.Column{{Name: "n", Value: client.Int(n)}},
		})
		tally.request(time.Since(begun), err)

		begun = time.Now()
		got, err := c.GetRow(context.WithoutCancel(ctx), &client.GetRowRequest{Table: demoTable, PrimaryKey: key})
		if err == nil {
			err = checkRow(got.Row, n)
		}
		tally.request(time.Since(begun), err)
	}
}

// checkRow makes sure that what was written is what is read.
func checkRow(row *client.Row, want int64) error {
	if row == nil {
		return errors.New("the row that was written is not there")
	}
	v, _ := row.Get("n")
	if n, ok := v.Int(); !ok || n != want {
		return fmt.Errorf("read %s after writing %d", v, want)
	}
	return nil
}

// watchCredentials measures how long a request has to wait for credentials: it
// asks for them all the time, as the client does.
func watchCredentials(ctx context.Context, cache *otsauth.Cache, tally *tally) {
	for ctx.Err() == nil {
		begun := time.Now()
		for {
			_, err := cache.Retrieve(ctx)
			if err == nil || ctx.Err() != nil {
				break
			}
			pause(ctx, 10*time.Millisecond)
		}
		tally.waited(time.Since(begun))
		pause(ctx, time.Millisecond)
	}
}

// makeTrouble takes STS down until a token has expired, and later revokes one.
func (d *demo) makeTrouble(ctx context.Context, server *otstest.Server, cache *otsauth.Cache, tally *tally) {
	pause(ctx, d.Duration/4)
	for ctx.Err() == nil && time.Until(cache.Stats().Expires) > time.Duration(outageBegins*float64(d.TokenLifetime)) {
		pause(ctx, 5*time.Millisecond)
	}
	if ctx.Err() != nil {
		return
	}
	began := time.Now()
	expires := cache.Stats().Expires
	server.Fail(-1, otstest.Fault{STS: true, Reset: true})
	tally.note("STS is down for %s", outageOf(d.TokenLifetime))
	pause(context.WithoutCancel(ctx), outageOf(d.TokenLifetime))
	server.Heal()
	tally.outage(time.Since(began), time.Now().After(expires))
	tally.note("STS is back")

	// The token to revoke is one that is in use: fresh, and in the cache.
	for ctx.Err() == nil && time.Until(cache.Stats().Expires) < d.TokenLifetime/2 {
		pause(ctx, time.Millisecond)
	}
	pause(ctx, d.TokenLifetime/10)
	current, err := cache.Retrieve(ctx)
	if err == nil && server.Revoke(current.AccessKeyID) {
		tally.revocation()
		tally.note("the current token was revoked")
	}
}

func outageOf(lifetime time.Duration) time.Duration {
	return time.Duration(outageLasts * float64(lifetime)).Round(time.Millisecond)
}

// pause waits for d, or until ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}
