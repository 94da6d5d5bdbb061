package apitest

import "fmt"

// Paths of the API.
const (
	KeysPath   = "/key-value-store/"
	ViewPath   = "/key-value-store-view"
	ShardsPath = "/key-value-store-shard/"
	healthPath = "/healthz"
	peerPath   = "/sequitur/peer"
)

// Added is the answer to the PUT of a key that did not exist. Any shard will do.
const Added = `{"message":"Added successfully","causal-metadata":"*","shard-id":"*","replaced":false}`

const tooFew = `{"message":"Not enough nodes to provide fault-tolerance with the given shard count!"}`

const healthy = `{"message":"OK"}`

// Found is the answer to a GET: a token, a value as JSON text, the shard.
func Found(token, value, shard string) string {
	return fmt.Sprintf(`{"message":"Retrieved successfully","causal-metadata":"%s","value":%s,"shard-id":"%s","doesExist":true}`, token, value, shard)
}

// Gone is the answer to GET or DELETE of a key that does not exist.
func Gone(method, token string) string {
	return fmt.Sprintf(`{"doesExist":false,"error":"Key does not exist","message":"Error in %s","causal-metadata":"%s"}`, method, token)
}

// Refused is any other error.
func Refused(sentence, method string) string {
	return fmt.Sprintf(`{"error":"%s","message":"Error in %s"}`, sentence, method)
}
