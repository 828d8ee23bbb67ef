package interop_test

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/otsauth/otsauth"
	"github.com/otsauth/otsauth/otstest"
)

// installNode says what the tests with the Node SDK need.
const installNode = "the official Node SDK is not installed: run interop/node/install"

// requireNode skips a test that cannot run the Node SDK, or fails it where the
// environment says that it must.
func requireNode(t *testing.T) {
	t.Helper()
	if _, err := os.Stat("node/node_modules/tablestore"); err == nil {
		return
	}
	if os.Getenv("OTSAUTH_REQUIRE_NODE") == "1" {
		t.Fatal(installNode)
	}
	t.Skip(installNode + "; OTSAUTH_REQUIRE_NODE=1 makes this a failure")
}

func TestOurClientAndTheOfficialNodeSDKDoTheSame(t *testing.T) {
	requireNode(t)
	runScenarios(t, newOurs(t), newNodeSDK(t, scenarioKey()))
}

func TestTheOfficialNodeSDKSendsATokenUntilItIsRevoked(t *testing.T) {
	requireNode(t)
	server := otstest.NewServer(t, nil)
	key, err := server.STS().Provider().Retrieve(t.Context())
	require.NoError(t, err)
	d := newNodeSDK(t, key)
	d.front.serve(server)
	list := &step{Action: "ListTable"}
	require.Equal(t, []string{"tables"}, d.do(t.Context(), list).lines(list, time.Now()))
	require.True(t, server.Revoke(key.AccessKeyID))
	require.Equal(t, &failure{403, "OTSAuthFailed", "The security token has expired."}, d.do(t.Context(), list).Error)
}

func TestTheOfficialNodeSDKIsToldThatItsSecretIsWrong(t *testing.T) {
	requireNode(t)
	server := otstest.NewServer(t, nil)
	key := ownerOf(t, server)
	key.AccessKeySecret = otsauth.NewSecret("wrong")
	d := newNodeSDK(t, key)
	d.front.serve(server)
	require.Equal(t, &failure{403, "OTSAuthFailed", "Signature mismatch."}, d.do(t.Context(), &step{Action: "ListTable"}).Error)
}

// nodeSDK drives the official Node SDK, in a process that lives as long as the
// test and does one step at a time.
type nodeSDK struct {
	process *exec.Cmd
	steps   *json.Encoder
	results *bufio.Scanner
}

// nodeTimeout bounds one step.
const nodeTimeout = 30 * time.Second

func newNodeSDK(t *testing.T, key otsauth.Credentials) *driver {
	t.Helper()
	n := &nodeSDK{process: exec.CommandContext(t.Context(), "node", "--no-deprecation", "driver.js")}
	n.process.Dir = "node"
	n.process.Stderr = struct{ io.Writer }{os.Stderr} // not the file itself: Node would make it non-blocking, and the test lose output
	stdin, err := n.process.StdinPipe()
	require.NoError(t, err)
	stdout, err := n.process.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, n.process.Start())
	t.Cleanup(func() {
		_ = stdin.Close() // which ends it
		_ = n.process.Wait()
	})
	n.steps, n.results = json.NewEncoder(stdin), bufio.NewScanner(stdout)
	n.results.Buffer(nil, 16<<20)
	f := newFront(t)
	require.NoError(t, n.steps.Encode(map[string]string{
		"endpoint": f.URL, "instancename": instanceName,
		"accessKeyId": key.AccessKeyID, "secretAccessKey": key.AccessKeySecret.Reveal(), "stsToken": key.SecurityToken.Reveal(),
	}))
	return &driver{name: "node", front: f, do: n.do}
}

func (n *nodeSDK) do(_ context.Context, s *step) *result {
	late := time.AfterFunc(nodeTimeout, func() { _ = n.process.Process.Kill() })
	defer late.Stop()
	r := &result{}
	if err := n.steps.Encode(s); err != nil {
		return &result{Refused: "node: " + err.Error()}
	}
	if !n.results.Scan() {
		return &result{Refused: "node ended without an answer; what it wrote to stderr is above"}
	}
	if err := json.Unmarshal(n.results.Bytes(), r); err != nil {
		return &result{Refused: "node: " + err.Error()}
	}
	return r
}
