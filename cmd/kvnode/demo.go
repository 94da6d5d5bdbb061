package main

import "github.com/spf13/cobra"

func newDemoCommand(env environment) *cobra.Command { return &cobra.Command{Use: "demo", Hidden: true} }
