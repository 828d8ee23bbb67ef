package client_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/otsauth/otsauth/client"
	"github.com/otsauth/otsauth/otstest"
)

// TestNoPatientCallFailsWhateverHappens is the promise under trouble of all kinds at
// once: 16 goroutines, some of them impatient, for half an hour, while outages of STS of up
// to 3 minutes, slow answers of both services and revocations come and go.
func TestNoPatientCallFailsWhateverHappens(t *testing.T) {
	for name, lifetime := range map[string]time.Duration{"tokens of 2 s": 2 * time.Second, "tokens of 2 min": 2 * time.Minute, "tokens of 1 h": time.Hour} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := otstest.NewServer(t, &otstest.Options{TokenLifetime: lifetime})
				// A slow answer can cut a write off, which only this policy repeats.
				c := inProcess(t, server, server.STS().Provider(), client.Options{MaxConnections: 8, Retry: client.WriteRetryPolicy{}})
				createTable(t, c)
				ctx, cancel := context.WithTimeout(t.Context(), 30*time.Minute)
				defer cancel()
				var wg sync.WaitGroup
				for worker := range uint64(16) {
					wg.Go(func() {
						random := rand.New(rand.NewPCG(1, worker))
						for ctx.Err() == nil {
							callUnderTrouble(t, c, random) //nolint:contextcheck // a call that was begun is finished
							time.Sleep(time.Duration(random.IntN(5000)) * time.Millisecond)
						}
					})
				}
				random := rand.New(rand.NewPCG(2, 2))
				for ctx.Err() == nil {
					makeTrouble(server, random)
					time.Sleep(time.Duration(random.IntN(180)) * time.Second)
					server.Heal()
					time.Sleep(time.Duration(random.IntN(60)) * time.Second)
				}
				wg.Wait()
			})
		})
	}
}

// callUnderTrouble writes a row; one time in five it gives up within 2 s.
func callUnderTrouble(t *testing.T, c *client.OTSClient, random *rand.Rand) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	impatient := random.IntN(5) == 0
	if impatient {
		time.AfterFunc(time.Duration(random.IntN(2000))*time.Millisecond, cancel)
	}
	begun := time.Now()
	err := putRow(ctx, c)
	switch {
	case err == nil:
	case !impatient || !errors.Is(err, context.Canceled):
		t.Errorf("after %s: %v", time.Since(begun), err)
	case time.Since(begun) > 2*time.Second:
		t.Errorf("a cancelled call lasted %s", time.Since(begun))
	}
}

func makeTrouble(server *otstest.Server, random *rand.Rand) {
	switch random.IntN(5) {
	case 0:
		server.Fail(-1, otstest.Fault{STS: true, Reset: true})
	case 1:
		server.Fail(-1, otstest.Fault{STS: true, Delay: time.Duration(random.IntN(30)) * time.Second})
	case 2:
		server.Fail(-1, otstest.Throttled(true))
	case 3:
		server.RevokeTokens()
	case 4:
		server.Fail(-1, otstest.Fault{Delay: time.Duration(random.IntN(1500)) * time.Millisecond})
		server.Fail(-1, otstest.Unavailable(true))
		server.RevokeTokens()
	}
}
