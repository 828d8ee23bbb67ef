package interop_test

import (
	"bufio"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// installNode says what the tests with the Node SDK need.
const installNode = "the official Node SDK is not installed: run interop/node/install"

func TestOurClientAndTheOfficialNodeSDKDoTheSame(t *testing.T) {
	if _, err := os.Stat("node/node_modules/tablestore"); err != nil {
		if os.Getenv("OTSAUTH_REQUIRE_NODE") == "1" {
			t.Fatal(installNode)
		}
		t.Skip(installNode + "; OTSAUTH_REQUIRE_NODE=1 makes this a failure")
	}
	runScenarios(t, newOurs(t), newNodeSDK(t))
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

func newNodeSDK(t *testing.T) *driver {
	t.Helper()
	n := &nodeSDK{process: exec.CommandContext(t.Context(), "node", "--no-deprecation", "driver.js")}
	n.process.Dir, n.process.Stderr = "node", os.Stderr
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
	f, key := newFront(t), scenarioKey()
	require.NoError(t, n.steps.Encode(map[string]string{
		"endpoint": f.URL, "instancename": instanceName, "accessKeyId": key.AccessKeyID, "secretAccessKey": key.AccessKeySecret.Reveal(),
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
