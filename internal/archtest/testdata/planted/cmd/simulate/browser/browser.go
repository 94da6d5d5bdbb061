// Package browser hides a server from every platform but js.
package browser
