// Lets a form's passkey button ask the browser for a passkey; what it answers is sent with the form, as plain as any other field.
{
  const bytes = (text) => Uint8Array.from(atob(text.replaceAll('-', '+').replaceAll('_', '/')), (c) => c.charCodeAt(0));
  const text = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll('+', '-').replaceAll('/', '_').replace(/=+$/, '');
  const known = (list) => list?.map((it) => ({ ...it, id: bytes(it.id) }));
  const ask = {
    create: (o) => navigator.credentials.create({ publicKey: { ...o, challenge: bytes(o.challenge), user: { ...o.user, id: bytes(o.user.id) }, excludeCredentials: known(o.excludeCredentials) } }),
    get: (o) => navigator.credentials.get({ publicKey: { ...o, challenge: bytes(o.challenge), allowCredentials: known(o.allowCredentials) } }),
  };
  const plain = (made) => {
    const response = {};
    for (const name of ['clientDataJSON', 'attestationObject', 'authenticatorData', 'signature', 'userHandle'])
      if (made.response[name]) response[name] = text(made.response[name]);
    return JSON.stringify({ id: made.id, rawId: text(made.rawId), type: made.type, response });
  };
  const begin = async (form, box) => {
    const headers = { accept: 'application/json', 'x-csrf-token': form.elements._csrf.value };
    const answer = await fetch(box.dataset.begin, { method: 'POST', headers, body: new URLSearchParams() });
    if (answer.status === 429) throw new Error('Too many attempts. Try again in a quarter of an hour.');
    if (!answer.ok) throw new Error('The panel has no passkey to ask for here. Load the page again, or go another way.');
    return answer.json();
  };
  for (const box of document.querySelectorAll('[data-passkey]')) {
    if (!window.PublicKeyCredential) continue;
    const form = box.closest('form'), said = box.querySelector('[role=alert]');
    box.hidden = false;
    form.addEventListener('submit', async (event) => {
      if (!box.contains(event.submitter)) return;
      event.preventDefault();
      said.textContent = '';
      event.submitter.disabled = true;
      try {
        const challenge = await begin(form, box);
        const made = await ask[box.dataset.passkey](JSON.parse(challenge.options));
        form.elements.token.value = challenge.token;
        form.elements.credential.value = plain(made);
        form.submit();
      } catch (why) {
        said.textContent = {
          NotAllowedError: 'No passkey was used: it was cancelled, or took too long.',
          InvalidStateError: 'This device has a passkey of this account already.',
          SecurityError: 'This address can’t use passkeys. Open the panel by its proper address.',
        }[why.name] ?? why.message;
        event.submitter.disabled = false;
      }
    });
  }
}
