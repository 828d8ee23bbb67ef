package otsauth_test

import (
	"context"
	"fmt"
	"net"
	"syscall"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
)

// silentAddress returns an address on loopback that answers no attempt to connect,
// as that of the metadata service does outside of ECS: a listener whose queue is full.
func silentAddress(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, syscall.Close(fd)) })
	require.NoError(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	require.NoError(t, syscall.Listen(fd, 0))
	bound, err := syscall.Getsockname(fd)
	require.NoError(t, err)
	inet, ok := bound.(*syscall.SockaddrInet4)
	require.True(t, ok)
	address := fmt.Sprintf("127.0.0.1:%d", inet.Port)
	queued, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address) // the one that the queue holds
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, queued.Close()) })
	return address
}

// Without its own bound the attempt would last for the two minutes after which Linux
// gives up; here the call's context has none.
func TestAMetadataServiceThatDoesNotAnswerIsGivenUp(t *testing.T) {
	clearEnv(t)
	p := otsauth.ECSRole(&otsauth.ECSOptions{Endpoint: "http://" + silentAddress(t)})
	_, err := p.Retrieve(context.WithoutCancel(t.Context()))
	require.ErrorIs(t, err, otsauth.ErrNotConfigured)
	var timeout net.Error
	require.ErrorAs(t, err, &timeout)
	require.True(t, timeout.Timeout())
}
