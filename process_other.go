//go:build !unix

package otsauth

import "os/exec"

// killGroup does nothing here: the end of command's context kills the program
// alone, and WaitDelay ends the wait for pipes that others hold open.
func killGroup(*exec.Cmd) {}
