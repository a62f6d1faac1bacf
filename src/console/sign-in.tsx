import { useState } from 'preact/hooks'
import { beginSignIn, oidcSignIn } from './api/oidc.js'
import { pageConfig } from './api/page-config.js'
import { signedOutBecause, signIn } from './api/session.js'
import { chooseLanguage, language, t } from './text/language.js'
import { OIDC_FAULTS, SIGN_IN } from './text/sign-in.js'

/** The only view without a token. */
export function SignIn() {
  const because = signedOutBecause.value
  const other = language.value === 'en' ? 'zh-CN' : 'en'
  return (
    <main class="sign-in" id="content">
      <div class="card">
        <h1>chat-cutover</h1>
        {because !== undefined && (
          <p class="notice" role="status">
            {t(SIGN_IN[because])}
          </p>
        )}
        <WithIssuer />
        <WithToken />
        <p class="actions">
          <button type="button" class="plain" lang={other} onClick={() => chooseLanguage(other)}>
            {other === 'en' ? 'English' : '中文'}
          </button>
        </p>
      </div>
    </main>
  )
}

/** Nothing where no issuer is configured. */
function WithIssuer() {
  const { oidc } = pageConfig.value
  const now = oidcSignIn.value
  if (oidc === null) return null
  const issuer = new URL(oidc.issuer).host
  return (
    <>
      {now.state === 'failed' && (
        <p class="notice bad" role="alert">
          {t(OIDC_FAULTS[now.fault.kind], { issuer, said: now.fault.said, origin: location.origin })}
        </p>
      )}
      <button
        type="button"
        class="primary"
        disabled={now.state === 'busy'}
        onClick={() => void beginSignIn()}
      >
        {t(now.state === 'busy' ? SIGN_IN.busy : SIGN_IN.oidc, { issuer })}
      </button>
      <p class="quiet">{t(SIGN_IN.or)}</p>
    </>
  )
}

function WithToken() {
  const [wrong, setWrong] = useState(false)
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault()
        const given = new FormData(event.currentTarget).get('token')
        setWrong(!signIn(String(given ?? '')))
      }}
    >
      <label for="token">{t(SIGN_IN.token)}</label>
      <textarea
        id="token"
        name="token"
        rows={5}
        spellcheck={false}
        autocomplete="off"
        required
        aria-describedby="token-hint"
        aria-invalid={wrong}
      />
      {wrong && (
        <p class="notice bad" role="alert">
          {t(SIGN_IN.unreadable)}
        </p>
      )}
      <p class="quiet" id="token-hint">
        {t(SIGN_IN.hint)}
      </p>
      <div class="actions">
        <button type="submit" class={pageConfig.value.oidc === null ? 'primary' : ''}>
          {t(SIGN_IN.submit)}
        </button>
      </div>
    </form>
  )
}
