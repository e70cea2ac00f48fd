// Verifies deliveries as a host on Node does: with the npm packages standardwebhooks and svix, and v1a with Node itself.
// Reads a list of {body, headers, secret, publicKey} from its standard input, and prints what each verifier says.
import { createPublicKey, verify } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { Webhook as StandardWebhook } from 'standardwebhooks'
import { Webhook as SvixWebhook } from 'svix'

// Reference: RFC 8410, 4: what stands before the 32 bytes of an Ed25519 key in its DER form.
const DER = Buffer.from('302a300506032b6570032100', 'hex')

function verifyV1a ({ body, headers, publicKey }) {
  const raw = Buffer.from(publicKey.slice('whpk_'.length), 'base64')
  const key = createPublicKey({ key: Buffer.concat([DER, raw]), format: 'der', type: 'spki' })
  const signed = Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`)
  const marks = headers['webhook-signature'].split(' ').filter((mark) => mark.startsWith('v1a,'))
  if (!marks.some((mark) => verify(null, signed, key, Buffer.from(mark.slice('v1a,'.length), 'base64')))) {
    throw new Error('No matching signature found')
  }
}

function says (check) {
  try {
    check()
    return 'verified'
  } catch (error) {
    return error.message
  }
}

const cases = JSON.parse(await text(process.stdin))
console.log(JSON.stringify(cases.map((one) => ({
  standardwebhooks: says(() => new StandardWebhook(one.secret).verify(one.body, one.headers)),
  svix: says(() => new SvixWebhook(one.secret).verify(one.body, one.headers)),
  v1a: says(() => verifyV1a(one)),
  signed: new StandardWebhook(one.secret).sign(one.headers['webhook-id'], new Date(1000 * one.headers['webhook-timestamp']), one.body)
}))))
