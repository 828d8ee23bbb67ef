//go:build unix

package otsauth

import (
	"os/exec"
	"syscall"
)

// killGroup makes the end of command's context kill all that it started, too.
func killGroup(command *exec.Cmd) {
	command.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	command.Cancel = func() error { return syscall.Kill(-command.Process.Pid, syscall.SIGKILL) }
}
