// Passkeys: a form that is sent with what the browser has made of the server's challenge.
// `data-passkey`: "create" or "get"; `data-begin`: where the challenge is.

const bytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (char) => char.charCodeAt(0));
const text = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

/** What JSON cannot hold are base64url texts on the way. */
function decoded({ publicKey }) {
  const known = (list) => list?.map((entry) => ({ ...entry, id: bytes(entry.id) }));
  return {
    ...publicKey,
    challenge: bytes(publicKey.challenge),
    ...(publicKey.user && { user: { ...publicKey.user, id: bytes(publicKey.user.id) } }),
    ...(publicKey.excludeCredentials && { excludeCredentials: known(publicKey.excludeCredentials) }),
    ...(publicKey.allowCredentials && { allowCredentials: known(publicKey.allowCredentials) }),
  };
}

function encoded(credential) {
  const names = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const found = names.filter((name) => credential.response[name]);
  return JSON.stringify({
    id: credential.id,
    rawId: text(credential.rawId),
    type: credential.type,
    response: Object.fromEntries(found.map((name) => [name, text(credential.response[name])])),
    clientExtensionResults: credential.getClientExtensionResults(),
  });
}

async function challenge(form) {
  const headers = { "X-CSRFToken": form.elements.csrfmiddlewaretoken.value, Accept: "application/json" };
  const answer = await fetch(form.dataset.begin, { method: "POST", headers, redirect: "error" });
  if (answer.ok) return decoded(await answer.json());
  if (answer.status === 429) throw new Error("Too many attempts. Try again later.");
  throw new Error((await answer.json().catch(() => ({}))).error || "The server did not answer as it should. Reload the page.");
}

/** A sentence for what browsers say in many ways. */
function sentence(error) {
  if (error.name === "InvalidStateError") return "This device has a passkey for this account already.";
  if (error.name === "SecurityError") return "Passkeys do not work at this address: open Oven at its public one.";
  if (error.name === "NotAllowedError") return "No passkey was used: it was cancelled, or none fits.";
  if (error.name === "TypeError") return "The server cannot be reached, or you are signed out. Reload the page.";
  return error.message;
}

function prepare(form) {
  const button = form.querySelector("button[type=submit]");
  const wrong = form.querySelector("[role=alert]");
  if (!window.PublicKeyCredential) {
    button.disabled = true;
    wrong.hidden = false;
    wrong.textContent = "This browser has no passkeys, or the page is not secure (https).";
    return;
  }
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    wrong.hidden = true;
    button.disabled = true;
    try {
      const publicKey = await challenge(form);
      form.elements.credential.value = encoded(await navigator.credentials[form.dataset.passkey]({ publicKey }));
      form.submit();
    } catch (error) {
      wrong.textContent = sentence(error);
      wrong.hidden = false;
    } finally {
      button.disabled = false;
    }
  });
}

document.querySelectorAll("form[data-passkey]").forEach(prepare);
