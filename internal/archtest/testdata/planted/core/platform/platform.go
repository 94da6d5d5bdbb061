// Package platform plants a file that only some platforms compile.
package platform
